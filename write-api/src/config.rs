//! The settings of write-api. Each is a flag or an environment variable; `--help` lists them all.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Parser};
use feedmill_service::{
    HttpArgs, NatsArgs, TelemetryArgs,
    config::duration,
    tokens::{Signer, Trust},
};
use ipnet::IpNet;

use crate::quota::QuotaRates;

/// The `application_name` of connections to PostgreSQL.
pub const APPLICATION_NAME: &str = "feedmill-write-api";

/// The write side of Feedmill: stores commands as events in the log, and publishes the log to JetStream.
#[derive(Debug, Parser)]
#[command(name = "write-api", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,
    #[command(flatten)]
    pub config: Config,
}

#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Serve commands over HTTP (the default)
    Serve,
    /// Ask the instance that runs with these settings whether it is ready; fails if it is not. For the health check of a container
    Health,
    /// Apply the pending migrations of the database, as its owner (DATABASE_URL)
    Migrate,
    /// Begin a new incarnation of the log, as the owner of the database (DATABASE_URL). Run it after restoring PostgreSQL from a
    /// backup, before the services start again: it ends all sessions, and refuses all positions that clients hold
    FinishRestore,
    /// Record that a backup of PostgreSQL is complete, as the owner of the database (DATABASE_URL), for the alert BackupMissing
    BackupFinished,
    /// Show and move the parts of the log, as the owner of the database (DATABASE_URL)
    Log {
        #[command(subcommand)]
        action: LogAction,
    },
    /// Import an existing community from a file of JSON records, one on each line
    Import {
        /// The file. An import can be run again: records that were imported are skipped
        file: PathBuf,
    },
    /// Print an access token for an account
    Token {
        /// The account: @handle or id
        account: String,
    },
    /// Act on an account, as its operator
    Account {
        #[command(subcommand)]
        action: AccountAction,
    },
}

#[derive(Debug, clap::Subcommand)]
pub enum LogAction {
    /// Print the parts of the log, the oldest first, with their sequence numbers, size and tablespace
    List,
    /// Move a complete part to another tablespace, for example on slower and larger disks. Commands and reads go on meanwhile
    Move {
        /// The part, as `log list` prints it
        part: String,
        /// The tablespace (CREATE TABLESPACE)
        tablespace: String,
    },
}

#[derive(Debug, clap::Subcommand)]
pub enum AccountAction {
    /// End all sessions of an account: its access tokens are refused within a second
    EndSessions {
        /// The account: @handle or id
        account: String,
    },
    /// Give an account a new random password, print it, and end all its sessions
    ResetPassword {
        /// The account: @handle or id
        account: String,
    },
}

#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The URL of PostgreSQL, as the role feedmill_write; required except by `migrate`
    #[arg(long, env = "WRITE_DATABASE_URL", hide_env_values = true)]
    pub write_database_url: Option<String>,
    /// The URL of PostgreSQL, as the owner of the database; required by `migrate`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The address on which commands are served
    #[arg(long, env = "WRITE_LISTEN", default_value = "127.0.0.1:8080")]
    pub write_listen: SocketAddr,
    /// The address of metrics and readiness, for operators; clients must not reach it
    #[arg(long, env = "ADMIN_LISTEN", default_value = "127.0.0.1:8090")]
    pub admin_listen: SocketAddr,
    /// How many commits may be in progress at once, each with a connection of its own. Commands that arrive meanwhile share
    /// the next commit. The default is the number of cores, from 4 to 16; it rarely needs a change
    #[arg(long, env = "LANES", default_value_t = lanes(), value_parser = clap::value_parser!(u16).range(1..=64))]
    pub lanes: u16,
    /// How many sequence numbers of each of the 64 partitions a new part of the log has. Parts are what `log move` moves. Lower it
    /// if the log grows by less than a part in a year
    #[arg(long, env = "LOG_PART_SIZE", default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1..=1_000_000_000))]
    pub log_part_size: i64,
    #[command(flatten)]
    pub auth: AuthArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub http: HttpArgs,
    #[command(flatten)]
    pub nats: NatsArgs,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// The keys and the contents of access tokens.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Accounts and tokens")]
pub struct AuthArgs {
    /// The file of the key that signs tokens (Ed25519, PEM PKCS #8); created if it does not exist
    #[arg(long, env = "AUTH_KEY_FILE", default_value = "feedmill-auth-key.pem")]
    pub auth_key_file: PathBuf,
    /// The key that signs tokens, instead of a file
    #[arg(long, env = "AUTH_KEY", hide_env_values = true)]
    pub auth_key: Option<String>,
    /// The issuer of tokens, their `iss`
    #[arg(long, env = "AUTH_ISSUER", default_value = "feedmill")]
    pub auth_issuer: String,
    /// The audience of tokens, their `aud`
    #[arg(long, env = "AUTH_AUDIENCE", default_value = "feedmill")]
    pub auth_audience: String,
    /// The URL of the key set of an external identity provider. Only its tokens are then accepted, accounts are created when
    /// their token is first seen, and there are no local passwords and sessions
    #[arg(long, env = "AUTH_JWKS_URL")]
    pub auth_jwks_url: Option<String>,
    /// How long an access token is valid
    #[arg(long, env = "ACCESS_TOKEN_TTL", default_value = "15m", value_parser = duration)]
    pub access_token_ttl: Duration,
    /// How long a session lasts, however often it is refreshed; then its user signs in again. It also ends after 30 days
    /// without a refresh
    #[arg(long, env = "SESSION_LIFETIME", default_value = "180d", value_parser = duration)]
    pub session_lifetime: Duration,
    /// How many passwords are hashed at once; each takes 19 MiB of memory and a core. Raise it if sign-ins are refused as
    /// `overloaded` while cores are idle
    #[arg(long, env = "PASSWORD_HASHES", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub password_hashes: u16,
}

/// What one client may do.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// The networks of your proxies, such as `10.0.0.0/8,2001:db8::/32`. Only requests from these addresses may name their client
    /// in `X-Forwarded-For` or `Forwarded`. Without it, all clients behind a proxy share the limits of one address
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// How many commands of a kind succeed for one account, or for one address where no account is needed, as in
    /// `posts=100/1h,follows=off`; `off` is without any limit. Without it, in an hour: posts=500, messages=3000,
    /// conversations=300, follows=1000, connections=500, tags=10000, reactions=3000 (likes, bookmarks and mutes of accounts),
    /// profile=200, marks=20000 (read marks and mutes of conversations), sign_ups=500, sign_ins=2000, refreshes=600. They are
    /// counted in each process
    #[arg(long, env = "QUOTAS", default_value = "", hide_default_value = true)]
    pub quotas: QuotaRates,
    /// The maximum number of unanswered connection requests that an account may have sent. Lower it if people send requests to
    /// too many strangers
    #[arg(long, env = "MAX_PENDING_REQUESTS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_pending_requests: u32,
    /// The maximum number of tags of an account. Raise it if people are refused (`too_many_tags`)
    #[arg(long, env = "MAX_TAGS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub max_tags: u32,
    /// The maximum number of members of a tag. Raise it if people are refused (`too_many_tag_members`)
    #[arg(long, env = "MAX_TAG_MEMBERS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_tag_members: u32,
}

impl Config {
    pub fn write_database_url(&self) -> anyhow::Result<&str> {
        self.write_database_url.as_deref().context(
            "WRITE_DATABASE_URL is not set; it is the URL of PostgreSQL as the role feedmill_write",
        )
    }
}

impl AuthArgs {
    /// The signing key of this installation, from AUTH_KEY or the file.
    pub fn signer(&self) -> anyhow::Result<Signer> {
        let (issuer, audience) = (&self.auth_issuer, &self.auth_audience);
        match &self.auth_key {
            Some(pem) => Signer::from_pem(pem, issuer, audience).context("cannot use AUTH_KEY"),
            None => Signer::load_or_create(&self.auth_key_file, issuer, audience),
        }
    }

    /// The issuer and audience that tokens of the external identity provider must have.
    pub fn external_trust(&self) -> Trust {
        Trust {
            issuer: self.auth_issuer.clone(),
            audience: self.auth_audience.clone(),
            external: true,
        }
    }
}

/// A network as a CIDR, or a single address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse::<IpNet>().map_err(|error| error.to_string());
    network.or_else(|error| text.parse::<IpAddr>().map(IpNet::from).map_err(|_| error))
}

/// The number of cores, and at least 4: under little load 4 lanes answer in half the time of 2, and under full load their
/// number hardly matters.
fn lanes() -> u16 {
    std::thread::available_parallelism().map_or(4, |cores| cores.get().clamp(4, 16) as u16)
}
