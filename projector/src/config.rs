//! Flags and environment variables.

use std::net::SocketAddr;

use feedmill_service::config::{HttpArgs, NatsArgs, TelemetryArgs};

use crate::{
    console::settings::ConsoleArgs,
    projection::{self, Context, Definition},
};

// No doc comment: clap would take it for the program's description.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// URL of the PostgreSQL database, with the role that owns the read models' schemas and may read the log
    #[arg(long, env = "PROJECTOR_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,

    /// Address and port of `/health/live`
    #[arg(long, env = "PROJECTOR_LISTEN", default_value = "127.0.0.1:8082")]
    pub listen: SocketAddr,

    /// Address and port of metrics and readiness, for operators; nobody else must reach it
    #[arg(long, env = "ADMIN_LISTEN", default_value = "127.0.0.1:8092")]
    pub admin_listen: SocketAddr,

    /// Run only these projections, separated by commas. Without it, all projections run
    #[arg(long, global = true, value_delimiter = ',', value_parser = projection::by_name)]
    pub only: Vec<&'static Definition>,

    /// Minimum number of posts stored per feed; on average, somewhat more than twice as many are stored. Older posts
    /// are read from the authors' posts, which is slower. Increase it if readers often scroll further
    #[arg(long, env = "FEED_DEPTH", default_value = "1000", value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    pub feed_depth: i64,

    /// Number of followers above which an author's new posts are not written to every follower's feed, but read from
    /// the author. Decrease it if posts of popular authors delay the feed projection. Existing posts stay as they are
    /// until a rebuild
    #[arg(long, env = "FANOUT_MAX_FOLLOWERS", default_value = "10000", value_parser = clap::value_parser!(i64).range(0..))]
    pub fanout_max_followers: i64,

    #[command(flatten)]
    pub console: ConsoleArgs,
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
        let is_selected = |p: &&'static Definition| {
            self.only.is_empty() || self.only.iter().any(|only| only.name() == p.name())
        };
        projection::ALL.into_iter().filter(is_selected).collect()
    }

    pub fn context(&self) -> Context {
        Context {
            feed_depth: self.feed_depth,
            fanout_max_followers: self.fanout_max_followers,
        }
    }
}
