//! `feedmill-bench`: all the processes of a bench; see `deploy/bench`.

use std::{
    fs::{self, File},
    io::BufWriter,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use feedmill_bench::{before, data, floor, load, run, summary::Summary};
use serde::de::DeserializeOwned;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
enum Cli {
    /// Run the bench against servers that are there for it alone
    Run {
        #[command(flatten)]
        settings: run::Settings,
    },
    /// Serve the usual backend
    Before {
        listen: SocketAddr,
        #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
        database_url: String,
        /// A request keeps one connection for all its queries
        #[arg(long)]
        keep_connection: bool,
    },
    /// Write the workload as an import file
    Generate {
        #[command(flatten)]
        size: data::Size,
        file: PathBuf,
    },
    /// Generate load as a plan says, and print what it came to
    Load { plan: PathBuf },
    /// Measure how soon posts are visible, as a plan says
    Probe { plan: PathBuf },
    /// Serve one answer to everybody, with bare axum
    Floor { listen: SocketAddr, answer: PathBuf },
    /// Run a statement of read-api's for a feed in a bare loop
    FloorReads {
        #[arg(long)]
        statement: String,
        /// Each task keeps its connection
        #[arg(long)]
        keep_connection: bool,
        #[command(flatten)]
        how: Loop,
    },
    /// Carry out commands with bare sqlx, one transaction each
    FloorWrites {
        #[command(flatten)]
        how: Loop,
    },
}

/// What both loops need.
#[derive(clap::Args)]
struct Loop {
    /// What is read or carried out, in JSON
    input: PathBuf,
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    #[arg(long)]
    connections: u32,
    #[arg(long)]
    warm_up: f64,
    #[arg(long)]
    seconds: f64,
}

fn main() -> ExitCode {
    match command(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command(cli: Cli) -> Result<()> {
    match cli {
        // It has threads of its own.
        Cli::Load { plan } => print(&load::run(json(&plan)?)?),
        // Everything on the main thread: the processes that it starts end with that.
        Cli::Run { settings } => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let met = runtime.block_on(until_signal(run::run(settings)))?;
            anyhow::ensure!(met, "not every target is met");
            Ok(())
        }
        cli => {
            let runtime = Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(subcommand(cli))
        }
    }
}

/// SIGTERM and SIGINT drop the future, and with it every process that it has started.
async fn until_signal<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::select! {
        result = future => result,
        _ = terminate.recv() => bail!("stopped"),
        _ = interrupt.recv() => bail!("stopped"),
    }
}

async fn subcommand(cli: Cli) -> Result<()> {
    match cli {
        Cli::Generate { size, file } => {
            Ok(data::write(size, &mut BufWriter::new(File::create(file)?))?)
        }
        Cli::Load { .. } | Cli::Run { .. } => Ok(()),
        Cli::Before {
            listen,
            database_url,
            keep_connection,
        } => before::serve(listen, &database_url, keep_connection).await,
        Cli::Probe { plan } => print(&load::probe(json(&plan)?).await?),
        Cli::Floor { listen, answer } => floor::serve(listen, &answer).await,
        Cli::FloorReads {
            statement,
            keep_connection,
            how,
        } => {
            let viewers: Vec<_> = json(&how.input)?;
            let Loop {
                database_url,
                connections,
                warm_up,
                seconds,
                ..
            } = how;
            let what = floor::Reads {
                url: &database_url,
                statement: &statement,
                keep: keep_connection,
            };
            print(&floor::reads(what, connections, &viewers, warm_up, seconds).await?)
        }
        Cli::FloorWrites { how } => {
            let commands = json(&how.input)?;
            let Loop {
                database_url,
                connections,
                warm_up,
                seconds,
                ..
            } = how;
            print(&floor::writes(&database_url, connections, commands, warm_up, seconds).await?)
        }
    }
}

fn json<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&bytes).with_context(|| file.display().to_string())
}

fn print(summary: &Summary) -> Result<()> {
    println!("{}", serde_json::to_string(summary)?);
    Ok(())
}
