//! Starts the projector: an HTTP server for health and metrics, a worker per projection, and the instance's heartbeat.

use std::time::Duration;

use anyhow::Context as _;
use async_nats::connection::State;
use axum::Router;
use feedmill_service::{
    self as service, Database, Health, Shutdown,
    http::{Listeners, performance},
    metrics::describe,
    sql::slow_statements::explain_with,
};
use futures::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    announce::Announcer,
    backups,
    config::Config,
    connection::{self, LazyConnection},
    console,
    instance::Instance,
    metrics,
    projection::{self, Definition},
    schema,
    secrets::ProjectorSecrets,
    stream_lag, totals,
    worker::{Job, Worker},
};

/// For what operators ask over HTTP, and the console's pages. Each worker has a connection of its own.
const OPERATOR_CONNECTIONS: usize = 4;
/// The part of the health that is not ready until the schemas exist.
const SCHEMAS: &str = "schemas";
const RETRY_DELAY: Duration = Duration::from_secs(1);
const INVALID_URL: &str = "PROJECTOR_DATABASE_URL is not a PostgreSQL URL";

/// Runs until shutdown. Errors: an invalid setting, or an address that is in use.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    describe("projector", env!("CARGO_PKG_VERSION"), metrics::METRICS);
    let options = connection::control_options(&config.database_url).context(INVALID_URL)?;
    let operators = Database::new(options, OPERATOR_CONNECTIONS)?;
    explain_statements(&config.database_url);
    let health = Health::new();
    // Before anybody can ask.
    health.set(SCHEMAS, Err("not created yet".to_owned()));
    let listeners = Listeners::bind(config.listen, "PROJECTOR_LISTEN", config.admin_listen).await?;
    let (http, parts) = (config.http.clone(), health.clone());
    let mut tasks = JoinSet::new();
    let stop = shutdown.clone();
    let performance = performance::router(operators.clone());
    let console = console::pages(&config, operators.clone(), &shutdown)?;
    for task in [
        operators.clone().report().boxed(),
        totals::report(operators.clone()).boxed(),
        backups::report(operators).boxed(),
    ] {
        tokio::spawn(shutdown.soft.clone().run_until_cancelled_owned(task));
    }
    tasks.spawn(async move {
        listeners
            .serve_with_pages(Router::new(), performance, console, &http, &parts, stop)
            .await
    });
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

/// Has slow statements explained with the options of the connection that runs them.
fn explain_statements(url: &str) {
    let url = url.to_owned();
    explain_with(move |statement| {
        let noun = statement.split('.').next().unwrap_or_default();
        let options = match projection::by_name(noun) {
            Ok(projection) => connection::projection_options(&url, projection),
            Err(_) => connection::control_options(&url),
        };
        options.ok()
    });
}

/// Creates the schemas and runs a worker for each projection, until shutdown.
async fn project(config: &Config, health: &Health, shutdown: &Shutdown) -> anyhow::Result<()> {
    let projections = config.projections();
    let nats = service::nats::connect(&config.nats, "projector").await?;
    let connections = projections
        .iter()
        .map(|projection| {
            connection::projection_options(&config.database_url, projection)
                .map(LazyConnection::new)
        })
        .collect::<Result<Vec<_>, _>>()
        .context(INVALID_URL)?;
    let options = connection::control_options(&config.database_url).context(INVALID_URL)?;
    let mut control = LazyConnection::new(options);
    let secrets = loop {
        match prepare_schemas(&mut control, &projections).await {
            Ok(secrets) => break secrets,
            Err(error) => {
                control.discard();
                health.set(SCHEMAS, Err(error.to_string()));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY_DELAY) => {}
            () = shutdown.soft.cancelled() => return Ok(()),
        }
    };
    let announcer = Announcer {
        nats: nats.clone(),
        key: secrets.announcements,
    };
    health.set(SCHEMAS, Ok(()));
    let instance =
        Instance::new(&config.database_url, &projections, nats.clone()).context(INVALID_URL)?;
    let stop = shutdown.soft.clone();
    tokio::spawn(stream_lag::watch(
        control,
        nats.clone(),
        secrets.events.clone(),
        health.clone(),
        stop,
    ));
    let mut workers = JoinSet::new();
    for (projection, connection) in projections.into_iter().zip(connections) {
        let worker = Worker::new(Job {
            projection,
            context: config.context(),
            assignment: instance.assignment(projection),
            lease: instance.lease(),
            connection,
            announcer: announcer.clone(),
            event_key: secrets.events.clone(),
            health: health.clone(),
            shutdown: shutdown.clone(),
        });
        workers.spawn(worker.run());
    }
    // The instance stops after the workers, because other instances take over its partitions when it leaves.
    let leave = CancellationToken::new();
    let instance = tokio::spawn(instance.run(leave.clone()));
    loop {
        let is_connected = nats.connection_state() == State::Connected;
        ::metrics::gauge!(metrics::NATS_CONNECTED).set(f64::from(u8::from(is_connected)));
        let note = is_connected
            .then_some(())
            .ok_or_else(|| "not connected; polling the log".to_owned());
        health.set_optional("nats", note);
        tokio::select! {
            () = tokio::time::sleep(RETRY_DELAY) => {}
            ended = workers.join_next() => match ended {
                Some(result) => result.context("a worker ended abnormally")?,
                None => break,
            },
        }
    }
    leave.cancel();
    instance.await.context("the heartbeat ended abnormally")
}

async fn prepare_schemas(
    control: &mut LazyConnection,
    projections: &[&Definition],
) -> sqlx::Result<ProjectorSecrets> {
    let db = control.get().await?;
    schema::prepare(db, projections).await?;
    ProjectorSecrets::read(db).await
}
