//! Flags and environment.

use std::net::SocketAddr;

use clap::Parser;
use feedmill_service::config::{HttpArgs, NatsArgs, TelemetryArgs};

use crate::{
    command::Command,
    projection::{self, Context, Definition},
};

/// Projects Feedmill's event log into the tables that the read API answers from
#[derive(Debug, Clone, Parser)]
#[command(name = "projector", version)]
pub struct Config {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// PostgreSQL, as the role that may read the log and owns the read models' schemas
    #[arg(long, env = "PROJECTOR_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,

    /// Where health and metrics are served
    #[arg(long, env = "PROJECTOR_LISTEN", default_value = "127.0.0.1:8082")]
    pub listen: SocketAddr,

    /// Run these projections only, separated by commas; without it, all
    #[arg(long, global = true, value_delimiter = ',', value_parser = projection::named)]
    pub only: Vec<&'static Definition>,

    /// How many posts of a feed are kept ready at least, and somewhat over twice as many on average; what is older is
    /// read from the authors
    #[arg(long, env = "FEED_DEPTH", default_value = "1000", value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    pub feed_depth: i64,

    /// The posts of an author whom more than so many follow are read from the author, and not put into the feeds
    /// of all of them. It holds for new posts; those that are there stay as they are until a rebuild
    #[arg(long, env = "FANOUT_MAX_FOLLOWERS", default_value = "10000", value_parser = clap::value_parser!(i64).range(0..))]
    pub fanout_max_followers: i64,

    #[command(flatten)]
    pub nats: NatsArgs,
    #[command(flatten)]
    pub http: HttpArgs,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

impl Config {
    /// The projections to run, each once.
    pub fn projections(&self) -> Vec<&'static Definition> {
        let chosen = |p: &&'static Definition| {
            self.only.is_empty() || self.only.iter().any(|only| only.name() == p.name())
        };
        projection::ALL.into_iter().filter(chosen).collect()
    }

    pub fn context(&self) -> Context {
        Context {
            feed_depth: self.feed_depth,
            fanout_max_followers: self.fanout_max_followers,
        }
    }
}
