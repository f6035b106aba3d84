use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use async_nats::connection::State as NatsState;
use feedmill_events::PARTITIONS;
use feedmill_service::{Database, Health, Shutdown, Verifier, http, nats, sql};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::APPLICATION;
use crate::{
    appended::Appended,
    config::Config,
    domain::Clock,
    housekeeping,
    lane::Lanes,
    relay::Relay,
    router::router,
    session::{Hasher, Sessions},
    state::{App, Local},
};

/// Connections for what is not a lane: sessions, health, housekeeping.
const CONNECTIONS: usize = 8;

/// How often health looks at what the service stands on.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// `write-api serve`: until SIGTERM or Ctrl-C.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals(config.http.shutdown_grace)?;
    let stopped = shutdown.soft.clone();
    let server = tokio::select! {
        server = Server::start(config, shutdown) => server?,
        () = stopped.cancelled() => return Ok(()),
    };
    server.join().await
}

/// A write-api that serves.
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    /// Listens and serves. PostgreSQL may come later, and commands are refused until it does; so may NATS, which
    /// no command needs. Errors: a port that is taken, settings that cannot work, a database without the schema.
    pub async fn start(config: Config, shutdown: Shutdown) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.write_listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.write_listen))?;
        let address = listener.local_addr()?;
        let health = Health::new();
        let options = sql::options(config.write_database_url()?, APPLICATION, None)?;
        let database = Database::new(options.clone(), CONNECTIONS)?;
        if !has_log(&database).await? {
            health.set("database", Err("PostgreSQL does not answer".to_owned()));
        }

        let clock = Arc::new(Clock::default());
        let (verifier, local) = identity(&config, &database, &health, &shutdown)?;
        let nats = nats::connect(&config.nats.nats_url, APPLICATION).await;
        let appended = Arc::new(Appended::default());
        let (lanes, mut lane_tasks) =
            Lanes::start(&options, &clock, usize::from(config.lanes), &appended);

        // These end after the last request, the relay last of all: it sees every commit.
        let (late, last) = (CancellationToken::new(), CancellationToken::new());
        let relay = Relay {
            options,
            nats: nats.clone(),
            appended,
            health: health.clone(),
        };
        let relay = tokio::spawn(relay.run(last.clone()));
        let watch = tokio::spawn(watch(database.clone(), nats, health.clone()));
        let housekeeping = tokio::spawn(housekeeping::run(
            database,
            Arc::clone(&clock),
            late.clone(),
        ));

        let app = http::standard(
            router(App::new(lanes, verifier, local, clock)),
            &config.http,
            &health,
        );
        let task = tokio::spawn(async move {
            let served = http::serve(listener, app, &config.http, shutdown).await;
            late.cancel();
            watch.abort();
            // With the last request the last way into the lanes has gone: they finish what they have.
            while lane_tasks.join_next().await.is_some() {}
            last.cancel();
            let _ = tokio::join!(relay, housekeeping);
            served
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has ended, after its shutdown.
    pub async fn join(self) -> anyhow::Result<()> {
        self.task.await?
    }
}

/// Whose tokens are believed, and what accounts of our own need if there are any.
fn identity(
    config: &Config,
    database: &Database,
    health: &Health,
    shutdown: &Shutdown,
) -> anyhow::Result<(Verifier, Option<Local>)> {
    if let Some(url) = &config.auth.auth_jwks_url {
        let verifier = Verifier::from_jwks(url, config.auth.external_trust(), health, shutdown)?;
        return Ok((verifier, None));
    }
    let signer = config.auth.signer()?;
    let hasher = Arc::new(Hasher::new(usize::from(config.auth.password_hashes))?);
    let ttl = config.auth.access_token_ttl;
    let local = Local {
        sessions: Sessions::new(database.clone(), signer.clone(), Arc::clone(&hasher), ttl),
        hasher,
        fingerprint_key: signer.derived_secret("idempotency fingerprints"),
        signer: signer.clone(),
    };
    Ok((Verifier::of(&signer), Some(local)))
}

/// Makes sure that the database has the log. Err: it answers, and what is wrong with it does not pass by itself.
/// Ok(false): it does not answer, or not now.
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
        Ok(count) => bail!("the log has {count} partitions and must have {PARTITIONS}"),
        Err(error) => error,
    };
    match error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .as_deref()
    {
        // No such schema; no such table.
        Some("3F000" | "42P01") => {
            bail!("the database has no log yet: run `write-api migrate` first ({error})")
        }
        // No such database; no right to the table; not let in at all.
        Some("3D000" | "42501" | "28000" | "28P01") => {
            bail!("PostgreSQL refuses WRITE_DATABASE_URL: {error}")
        }
        _ => Ok(false),
    }
}

/// Keeps `/health/ready` true: without PostgreSQL nothing works, without NATS everything does, only later.
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
        health.note(
            "nats",
            if connected {
                Ok(())
            } else {
                Err("not connected".to_owned())
            },
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
