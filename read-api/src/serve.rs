//! The service, wired up.

use anyhow::Context;
use feedmill_service::{Database, Health, Shutdown, Verifier, http, nats, sql};
use tokio::net::TcpListener;

use crate::{
    cache::Cache,
    changes::Changes,
    config::Config,
    cursor::Cursors,
    followed::Followed,
    posts::Posts,
    progress::Progress,
    router::router,
    scores::Scores,
    state::{AppState, SEARCH_PATH, Shared},
    stream::{Limits, Streams},
    warm::warm_up,
};

/// Serves until `shutdown`. PostgreSQL, NATS and the source of the token keys may all be absent, now or
/// later: readiness says so. Errors: an address that is taken, and settings that cannot work.
pub async fn serve(config: &Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let health = Health::new();
    let cursors = Cursors::new(&config.cursors.key()?);
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {} (READ_LISTEN)", config.listen))?;
    let (url, trust) = (&config.auth.key_set(), config.auth.trust());
    let verifier = Verifier::from_jwks(url, trust, &health, &shutdown)?;
    let options = sql::options(&config.database_url, "read-api", Some(SEARCH_PATH))
        .context("READ_DATABASE_URL is no URL of a PostgreSQL database")?;
    let connections = config.database_connections as usize;
    let database = Database::new(options, connections)?;
    let nats = nats::connect(&config.nats.nats_url, "read-api").await;

    let changes = Changes::default();
    let progress = Progress::new(changes.clone());
    health.set("database", Err("not asked yet".to_owned()));
    let looking = progress.clone().look(database.clone(), health.clone());
    let listening = progress.clone().listen(nats, health.clone());
    tokio::spawn(shutdown.soft.clone().run_until_cancelled_owned(looking));
    tokio::spawn(shutdown.soft.clone().run_until_cancelled_owned(listening));

    let shares = config.cache.shares();
    let cache = Cache::new(shares.answers, changes.clone());
    let posts = Posts::new(shares.posts, changes.clone());
    let scores = Scores::new(shares.scores, changes.clone());
    let followed = Followed::new(shares.followed, changes.clone());
    let counting = cache.clone().count();
    tokio::spawn(shutdown.soft.clone().run_until_cancelled_owned(counting));
    let limits = Limits {
        streams: config.streams.streams_max,
        streams_of_account: config.streams.streams_max_per_account,
        // The others are left to requests.
        reads: (connections / 4).max(1),
    };
    let streams = Streams::new(limits, changes.clone(), shutdown.soft.clone());
    tokio::spawn(
        shutdown
            .soft
            .clone()
            .run_until_cancelled_owned(streams.clone().wake()),
    );

    let state = AppState::new(Shared {
        database: database.clone(),
        verifier,
        cursors,
        progress,
        changes,
        cache,
        posts,
        scores,
        followed,
        streams,
    });
    let warming = warm_up(state.clone());
    tokio::spawn(shutdown.soft.clone().run_until_cancelled_owned(warming));
    let app = http::standard(router(state), &config.http, &health);
    http::serve(listener, app, &config.http, shutdown).await?;
    database.close();
    Ok(())
}
