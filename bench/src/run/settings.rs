//! The settings of the whole bench.

use std::path::PathBuf;

use crate::data;

#[derive(clap::Args)]
pub struct Settings {
    /// A PostgreSQL that nothing else uses, as its superuser
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// The path of nats-server
    #[arg(long)]
    pub nats_server: PathBuf,
    /// The path of PostgreSQL's pgbench
    #[arg(long)]
    pub pgbench: PathBuf,
    /// A folder for temporary files
    #[arg(long)]
    pub work: PathBuf,
    /// The folder for results.md, results.json and the plots
    #[arg(long)]
    pub out: PathBuf,
    /// Use a fifth of the data and shorter runs
    #[arg(long)]
    pub quick: bool,
    /// Profile the server with perf in this row
    #[arg(long)]
    pub profile: Option<String>,
    /// The folder with the service binaries of another version, to compare this one with
    #[arg(long)]
    pub before: Option<PathBuf>,
    /// The number of interleaved pairs of runs of --before
    #[arg(long, default_value_t = 12)]
    pub pairs: usize,
    /// The rows to run; without any, all
    pub rows: Vec<String>,
}

impl Settings {
    pub fn size(&self) -> data::Size {
        let share = if self.quick { 5 } else { 1 };
        data::Size {
            accounts: 10_000 / share,
            followees: 50,
            posts: 200_000 / share,
        }
    }

    /// The duration of a measured run.
    pub fn seconds(&self) -> f64 {
        if self.quick { 2.0 } else { 4.0 }
    }
}
