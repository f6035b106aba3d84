//! `read-api`: see `--help`.

use anyhow::Context;
use clap::Parser;
use feedmill_service::{Health, Shutdown, Verifier, http, nats, sql, telemetry};
use read_api::{AppState, Config, Cursors, Progress};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    let _telemetry = telemetry::init("read-api", &config.telemetry)?;
    let shutdown = Shutdown::on_signals(config.http.shutdown_grace)?;
    let health = Health::new();
    let cursors = Cursors::new(&config.cursors.key()?);
    let verifier = Verifier::from_jwks(
        &config.auth.jwks_url,
        config.auth.trust(),
        &health,
        &shutdown,
    )?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {} (READ_LISTEN)", config.listen))?;
    let pool = sql::pool(
        &config.database_url,
        "read-api",
        config.database_connections,
        Some(read_api::state::SEARCH_PATH),
    )
    .await?;

    let progress = Progress::new();
    let client = nats::connect(&config.nats.nats_url, "read-api").await;
    let background = shutdown.soft.clone();
    tokio::spawn(
        background
            .clone()
            .run_until_cancelled_owned(progress.clone().listen(client, health.clone())),
    );
    tokio::spawn(
        background.run_until_cancelled_owned(progress.clone().look(pool.clone(), health.clone())),
    );

    let state = AppState {
        pool: pool.clone(),
        verifier,
        cursors,
        progress,
    };
    let app = http::standard(read_api::router(state), &config.http, &health);
    http::serve(listener, app, &config.http, shutdown).await?;
    pool.close().await;
    Ok(())
}
