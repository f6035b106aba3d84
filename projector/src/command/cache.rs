//! `projector cache clear|cleanup`

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use clap::Subcommand;
use feedmill_events::{CacheCommand, subject};
use feedmill_service::nats::{self, is_authentic};
use futures::StreamExt as _;
use sqlx::PgConnection;
use tokio::time::timeout;

use super::common::connect;
use crate::{
    audit::{self, AuditEntry},
    config::Config,
    secrets::ProjectorSecrets,
};

/// How long a command takes at most to come back from NATS.
const ECHO_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Empty the caches of all read-apis. PostgreSQL then has the whole load until they are warm
    Clear(Why),
    /// Remove what is stale from the caches of all read-apis
    Cleanup(Why),
}

#[derive(Debug, Clone, clap::Args)]
struct Why {
    /// Why, for the audit log
    #[arg(long, default_value = "no reason given")]
    reason: String,
    /// Who, for the audit log
    #[arg(long, env = "USER", default_value_t = audit::os_user())]
    by: String,
}

/// Returns what was done, for people.
pub async fn cache(args: &Args, config: &Config) -> anyhow::Result<String> {
    let (command, why) = match &args.action {
        Action::Clear(why) => (CacheCommand::Clear, why),
        Action::Cleanup(why) => (CacheCommand::Cleanup, why),
    };
    let mut db = connect(config).await?;
    announce(command, &why.by, &why.reason, config, &mut db).await
}

/// Has a command carried out by all read-apis that NATS reaches, and returns that, for people. Errors: NATS is unreachable, or does not
/// deliver the command.
pub async fn announce(
    command: CacheCommand,
    by: &str,
    reason: &str,
    config: &Config,
    db: &mut PgConnection,
) -> anyhow::Result<String> {
    let nats = nats::connect_once(&config.nats, "projector").await;
    let nats = nats.map_err(|error| anyhow!("cannot connect to NATS: {error}"))?;
    let key = ProjectorSecrets::read(db).await?.announcements;
    // The server refuses a message without telling whom it was from, so the command is complete when it comes back.
    let mut echo = nats.subscribe(subject::CACHE).await?;
    nats.flush().await?;
    let payload = Bytes::from_static(command.name().as_bytes());
    nats::publish_signed(&nats, &key, subject::CACHE, payload.clone()).await?;
    let delivered = async {
        while let Some(message) = echo.next().await {
            if message.payload == payload && is_authentic(&message, &key) {
                return Some(());
            }
        }
        None
    };
    let delivered = timeout(ECHO_TIMEOUT, delivered).await.ok().flatten();
    delivered.context("NATS did not deliver the command; may the projector publish feedmill.cache? See deploy/nats-users.conf")?;
    let action = format!("cache-{}", command.name());
    let entry = AuditEntry {
        by,
        action: &action,
        reason,
        ..AuditEntry::default()
    };
    audit::record(&entry, db).await?;
    Ok(format!("{}; announced to all read-apis", command.meaning()))
}
