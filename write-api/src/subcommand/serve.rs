use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::bail;
use async_nats::connection::State as NatsState;
use feedmill_events::PARTITIONS;
use feedmill_service::{
    Database, Health, Shutdown, Verifier,
    http::{Listeners, performance},
    metrics::describe,
    nats,
    sql::{self, slow_statements::explain_with},
    tokens::revocations::{Revocations, receive::receive_ended_sessions},
};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, Local},
    commit_notifier::CommitNotifier,
    config::{APPLICATION_NAME, Config},
    domain::Clock,
    housekeeping,
    lane::Lanes,
    log::parts,
    metrics::METRICS,
    relay::Relay,
    router::{admin_router, router},
    secrets::Secrets,
    session::{EndedSessions, Hasher, Lifetimes, Sessions},
};

/// The maximum number of connections for sessions, health checks and housekeeping. Lanes and the relay have their own.
const MAX_CONNECTIONS: usize = 8;

/// How often the health of PostgreSQL and NATS is checked.
const HEALTH_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// `write-api serve`: until SIGTERM or Ctrl-C.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals(config.http.shutdown_drain, config.http.shutdown_grace)?;
    let stopped = shutdown.soft.clone();
    let server = tokio::select! {
        server = Server::start(config, shutdown) => server?,
        () = stopped.cancelled() => return Ok(()),
    };
    server.join().await
}

/// A running write-api.
pub struct Server {
    address: SocketAddr,
    admin_address: SocketAddr,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    /// Listens and serves. PostgreSQL may start later; until then commands are refused. NATS may start later too; no
    /// command needs it. Errors: the port is taken, a setting is invalid, or the database has no schema `write`.
    pub async fn start(config: Config, shutdown: Shutdown) -> anyhow::Result<Self> {
        let listeners =
            Listeners::bind(config.write_listen, "WRITE_LISTEN", config.admin_listen).await?;
        let address = listeners.public_address()?;
        let admin_address = listeners.admin_address()?;
        describe("write-api", env!("CARGO_PKG_VERSION"), METRICS);
        let health = Health::new();
        let options = sql::options(config.write_database_url()?, APPLICATION_NAME, None)?;
        let database = Database::new(options.clone(), MAX_CONNECTIONS)?;
        let explained = options.clone();
        explain_with(move |_| Some(explained.clone()));
        if !has_log(&database).await? {
            health.set("database", Err("PostgreSQL does not answer".to_owned()));
        }

        let clock = Arc::new(Clock::default());
        let nats = nats::connect(&config.nats, "write-api").await?;
        let secrets = Secrets::new(database.clone(), health.clone());
        let ended = |revocations| EndedSessions::new(revocations, nats.clone(), secrets.clone());
        let (verifier, local) = identity(&config, &database, ended, &health, &shutdown)?;
        let mut background = JoinSet::new();
        if let Some(local) = &local {
            let ended = local.sessions.ended().clone();
            // Before the first request. Without PostgreSQL the poll tries again.
            ended.read(&database, &clock).await.ok();
            background.spawn(ended.poll(database.clone(), Arc::clone(&clock)));
            let revocations = verifier.revocations().clone();
            let (client, secrets) = (nats.clone(), secrets.clone());
            background.spawn(async move {
                let key = secrets.wait().await.announcements.clone();
                receive_ended_sessions(revocations, client, key).await;
            });
        }
        let notifier = Arc::new(CommitNotifier::default());
        let (lanes, mut lane_tasks) =
            Lanes::start(&options, &clock, usize::from(config.lanes), &notifier);

        // Stopped after the last request, and the relay last of all, so that it publishes every commit.
        let (stop_housekeeping, stop_relay) = (CancellationToken::new(), CancellationToken::new());
        let relay = Relay {
            options,
            nats: nats.clone(),
            notifier,
            health: health.clone(),
            secrets: secrets.clone(),
        };
        let relay = tokio::spawn(relay.run(stop_relay.clone()));
        background.spawn(watch(database.clone(), nats, health.clone()));
        background.spawn(database.clone().report());
        background.spawn(parts::add_ahead(database.clone(), config.log_part_size));
        let performance = performance::router(database.clone());
        let housekeeping = tokio::spawn(housekeeping::run(
            database,
            Arc::clone(&clock),
            stop_housekeeping.clone(),
        ));

        let app = App::new(lanes, verifier, local, clock, secrets, &config.limits);
        let (clients, operators) = (router(app.clone()), admin_router(app).merge(performance));
        let task = tokio::spawn(async move {
            let served = listeners.serve(clients, operators, &config.http, &health, shutdown);
            let served = served.await;
            stop_housekeeping.cancel();
            background.abort_all();
            // The routers held the last handles to the lanes, so they finish their queue and end.
            while lane_tasks.join_next().await.is_some() {}
            stop_relay.cancel();
            let _ = tokio::join!(relay, housekeeping);
            served
        });
        Ok(Self {
            address,
            admin_address,
            task,
        })
    }

    /// The address it listens on for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address it listens on for operators.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Waits for the end of a shutdown.
    pub async fn join(self) -> anyhow::Result<()> {
        self.task.await?
    }
}

/// The verifier of tokens and, unless there is an external identity provider, what local accounts need.
fn identity(
    config: &Config,
    database: &Database,
    ended: impl Fn(Revocations) -> EndedSessions,
    health: &Health,
    shutdown: &Shutdown,
) -> anyhow::Result<(Verifier, Option<Local>)> {
    if let Some(url) = &config.auth.auth_jwks_url {
        let verifier = Verifier::from_jwks(url, config.auth.external_trust(), health, shutdown)?;
        return Ok((verifier, None));
    }
    let signer = config.auth.signer()?;
    let hasher = Arc::new(Hasher::new(usize::from(config.auth.password_hashes))?);
    let verifier = Verifier::of(&signer);
    let sessions = Sessions::new(
        database.clone(),
        signer.clone(),
        hasher,
        Lifetimes::from(&config.auth),
        ended(verifier.revocations().clone()),
    );
    let local = Local {
        sessions,
        fingerprint_key: signer.derived_secret("idempotency fingerprints"),
        signer,
    };
    Ok((verifier, Some(local)))
}

/// Whether the database has the log. Ok(false): it is not available at present. Err: an error that will not pass by itself.
async fn has_log(database: &Database) -> anyhow::Result<bool> {
    let count = sqlx::query!(
        r#"/* log.partitions.count */ SELECT count(*) AS "count!" FROM write.partitions"#
    );
    let error = match database
        .one("log.partitions.count", count)
        .await
        .map(|row| row.count)
    {
        Ok(count) if count == i64::from(PARTITIONS) => return Ok(true),
        Ok(count) => bail!("the log has {count} partitions instead of {PARTITIONS}"),
        Err(error) => error,
    };
    match error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .as_deref()
    {
        // invalid_schema_name, undefined_table
        Some("3F000" | "42P01") => {
            bail!("the database has no schema `write`: run `write-api migrate` first ({error})")
        }
        // invalid_catalog_name, insufficient_privilege, invalid_authorization_specification, invalid_password
        Some("3D000" | "42501" | "28000" | "28P01") => {
            bail!("PostgreSQL refuses WRITE_DATABASE_URL: {error}")
        }
        _ => Ok(false),
    }
}

/// Updates `/health/ready`. Without PostgreSQL the service is not ready; without NATS it is, and readers are behind.
async fn watch(database: Database, nats: async_nats::Client, health: Health) {
    let mut known = false;
    loop {
        let answer = if known {
            let ask = sqlx::query!(r#"/* health.database.ask */ SELECT 1 AS "one!""#);
            let answer = database.one("health.database.ask", ask).await;
            answer.map(|_| ()).map_err(|error| error.to_string())
        } else {
            match has_log(&database).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("PostgreSQL does not answer".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        };
        known |= answer.is_ok();
        health.set("database", answer);
        let connected = nats.connection_state() == NatsState::Connected;
        health.set_optional(
            "nats",
            if connected {
                Ok(())
            } else {
                Err("not connected".to_owned())
            },
        );
        tokio::time::sleep(HEALTH_POLL_INTERVAL).await;
    }
}
