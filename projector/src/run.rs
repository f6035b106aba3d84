//! Puts the projector together.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::connection::State;
use axum::Router;
use feedmill_events::Partition;
use feedmill_service::{self as service, Health, Shutdown};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    Config, metrics, schema, store,
    worker::{Job, Worker},
};

const RETRY: Duration = Duration::from_secs(1);

/// Runs until shutdown. Errors: settings that cannot work, and an address that is taken.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    metrics::describe();
    let health = Health::new();
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let app = service::http::standard(Router::new(), &config.http, &health);
    let http = config.http.clone();
    let mut tasks = JoinSet::new();
    let stop = shutdown.clone();
    tasks.spawn(async move { service::http::serve(listener, app, &http, stop).await });
    let stop = shutdown.clone();
    tasks.spawn(async move {
        tokio::select! {
            result = project(&config, &health, &stop) => result,
            () = stop.hard.cancelled() => Ok(()),
        }
    });
    while let Some(result) = tasks.join_next().await {
        result.context("a task ended abnormally")??;
    }
    Ok(())
}

/// Makes the schemas and runs a worker for each projection, until shutdown.
async fn project(config: &Config, health: &Health, shutdown: &Shutdown) -> anyhow::Result<()> {
    let projections = config.projections();
    let nats = service::nats::connect(&config.nats.nats_url, "projector").await;
    let pools = projections
        .iter()
        .map(|projection| store::pool(&config.database_url, projection))
        .collect::<Result<Vec<_>, _>>()
        .context("PROJECTOR_DATABASE_URL is no PostgreSQL URL")?;
    let Some(first) = pools.first() else {
        return Ok(());
    };
    health.set("schemas", Err("not made yet".to_owned()));
    while let Err(error) = schema::prepare(first, &projections).await {
        health.set("schemas", Err(error.to_string()));
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = shutdown.soft.cancelled() => return Ok(()),
        }
    }
    health.set("schemas", Ok(()));
    let mut workers = JoinSet::new();
    for (projection, pool) in projections.into_iter().zip(pools) {
        let worker = Worker::new(Job {
            projection,
            context: config.context(),
            owned: Partition::all().collect(),
            pool,
            nats: nats.clone(),
            health: health.clone(),
            shutdown: shutdown.clone(),
        });
        workers.spawn(worker.run());
    }
    loop {
        let connected = nats.connection_state() == State::Connected;
        health.note(
            "nats",
            connected
                .then_some(())
                .ok_or_else(|| "not connected; polling the log".to_owned()),
        );
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            ended = workers.join_next() => match ended {
                Some(result) => result.context("a worker ended abnormally")?,
                None => return Ok(()),
            },
        }
    }
}
