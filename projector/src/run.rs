//! Puts the projector together.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::connection::State;
use axum::Router;
use feedmill_service::{self as service, Health, Shutdown};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    Config,
    instance::Instance,
    metrics,
    projection::Definition,
    relay, schema,
    store::{self, Store},
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

async fn prepare(store: &mut Store, projections: &[&Definition]) -> sqlx::Result<()> {
    schema::prepare(store.connection().await?, projections).await
}

/// Makes the schemas and runs a worker for each projection, until shutdown.
async fn project(config: &Config, health: &Health, shutdown: &Shutdown) -> anyhow::Result<()> {
    let projections = config.projections();
    let nats = service::nats::connect(&config.nats.nats_url, "projector").await;
    let stores = projections
        .iter()
        .map(|projection| store::options(&config.database_url, projection).map(Store::new))
        .collect::<Result<Vec<_>, _>>()
        .context("PROJECTOR_DATABASE_URL is no PostgreSQL URL")?;
    let mut books = Store::new(
        store::books(&config.database_url)
            .context("PROJECTOR_DATABASE_URL is no PostgreSQL URL")?,
    );
    health.set("schemas", Err("not made yet".to_owned()));
    while let Err(error) = prepare(&mut books, &projections).await {
        books.forget();
        health.set("schemas", Err(error.to_string()));
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = shutdown.soft.cancelled() => return Ok(()),
        }
    }
    health.set("schemas", Ok(()));
    let instance = Instance::new(&config.database_url, &projections, nats.clone())
        .context("PROJECTOR_DATABASE_URL is no PostgreSQL URL")?;
    let stop = shutdown.soft.clone();
    tokio::spawn(relay::watch(books, nats.clone(), health.clone(), stop));
    let mut workers = JoinSet::new();
    for (projection, store) in projections.into_iter().zip(stores) {
        let worker = Worker::new(Job {
            projection,
            context: config.context(),
            orders: instance.orders(projection),
            lease: instance.lease(),
            store,
            nats: nats.clone(),
            health: health.clone(),
            shutdown: shutdown.clone(),
        });
        workers.spawn(worker.run());
    }
    // It ends after the workers: when it leaves, their partitions go to others.
    let leave = CancellationToken::new();
    let instance = tokio::spawn(instance.run(leave.clone()));
    loop {
        let connected = nats.connection_state() == State::Connected;
        ::metrics::gauge!(metrics::NATS_CONNECTED).set(f64::from(u8::from(connected)));
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
                None => break,
            },
        }
    }
    leave.cancel();
    instance.await.context("the heartbeat ended abnormally")
}
