//! The settings of write-api. Each is a flag or a variable of the environment, and `--help` tells them all.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use feedmill_service::{
    HttpArgs, NatsArgs, TelemetryArgs,
    config::duration,
    tokens::{Signer, Trust},
};

/// The write side of Feedmill: commands over HTTP become events in the log, and reach JetStream.
#[derive(Debug, Parser)]
#[command(name = "write-api", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub config: Config,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve commands over HTTP; the same as no subcommand
    Serve,
    /// Bring the database's schema up to date, as its owner (DATABASE_URL)
    Migrate,
    /// Take over an existing community from a file of JSON records, one a line
    Import {
        /// The file; an import may be run again, and leaves alone what is there
        file: PathBuf,
    },
    /// Print an access token for an account
    Token {
        /// The account: @handle, or its id
        account: String,
    },
}

#[derive(Debug, Clone, Args)]
pub struct Config {
    /// PostgreSQL, as the role feedmill_write; needed by all but `migrate`
    #[arg(long, env = "WRITE_DATABASE_URL", hide_env_values = true)]
    pub write_database_url: Option<String>,
    /// PostgreSQL, as the owner of the database; needed by `migrate`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Where commands are served
    #[arg(long, env = "WRITE_LISTEN", default_value = "127.0.0.1:8080")]
    pub write_listen: SocketAddr,
    /// How many commits may be under way at once, each with a connection; commands that wait meanwhile share the
    /// next one
    #[arg(long, env = "LANES", default_value_t = lanes(), value_parser = clap::value_parser!(u16).range(1..=64))]
    pub lanes: u16,
    #[command(flatten)]
    pub auth: AuthArgs,
    #[command(flatten)]
    pub http: HttpArgs,
    #[command(flatten)]
    pub nats: NatsArgs,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Who is believed to be whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Accounts and tokens")]
pub struct AuthArgs {
    /// The key that signs tokens (Ed25519, PEM PKCS #8); made when it is not there
    #[arg(long, env = "AUTH_KEY_FILE", default_value = "feedmill-auth-key.pem")]
    pub auth_key_file: PathBuf,
    /// The key itself, instead of a file
    #[arg(long, env = "AUTH_KEY", hide_env_values = true)]
    pub auth_key: Option<String>,
    /// Who signs tokens: their `iss`
    #[arg(long, env = "AUTH_ISSUER", default_value = "feedmill")]
    pub auth_issuer: String,
    /// Whom tokens are for: their `aud`
    #[arg(long, env = "AUTH_AUDIENCE", default_value = "feedmill")]
    pub auth_audience: String,
    /// The keys of somebody else's identity provider; its tokens are then the only ones, accounts are made on
    /// first sight, and there are no passwords and no sessions here
    #[arg(long, env = "AUTH_JWKS_URL")]
    pub auth_jwks_url: Option<String>,
    /// How long an access token is good
    #[arg(long, env = "ACCESS_TOKEN_TTL", default_value = "15m", value_parser = duration)]
    pub access_token_ttl: Duration,
    /// Passwords hashed at the same time; each takes 19 MiB
    #[arg(long, env = "PASSWORD_HASHES", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub password_hashes: u16,
}

impl Config {
    pub fn write_database_url(&self) -> anyhow::Result<&str> {
        self.write_database_url
            .as_deref()
            .context("WRITE_DATABASE_URL is not set: where is PostgreSQL?")
    }
}

impl AuthArgs {
    /// The key of this installation, from the environment or the file.
    pub fn signer(&self) -> anyhow::Result<Signer> {
        let (issuer, audience) = (&self.auth_issuer, &self.auth_audience);
        match &self.auth_key {
            Some(pem) => Signer::from_pem(pem, issuer, audience).context("cannot use AUTH_KEY"),
            None => Signer::load_or_create(&self.auth_key_file, issuer, audience),
        }
    }

    /// What tokens of somebody else's identity provider must say.
    pub fn external_trust(&self) -> Trust {
        Trust {
            issuer: self.auth_issuer.clone(),
            audience: self.auth_audience.clone(),
            external: true,
        }
    }
}

/// As many as there are cores, and at least 4: under little load 4 answer in half the time of 2, and under full load
/// their number hardly matters.
fn lanes() -> u16 {
    std::thread::available_parallelism().map_or(4, |cores| cores.get().clamp(4, 16) as u16)
}
