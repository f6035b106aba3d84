//! `feedmill-bench`: all processes of the bench. `deploy/bench` runs it.

use std::{
    fs::{self, File},
    io::BufWriter,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use feedmill_bench::{bare, data, load, n_plus_one, run};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
enum Cli {
    /// Run the bench against a PostgreSQL and a NATS server that nothing else uses
    Run {
        #[command(flatten)]
        settings: run::Settings,
    },
    /// Serve the N+1 backend
    NPlusOne {
        listen: SocketAddr,
        #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
        database_url: String,
        /// Use one connection for all queries of a request
        #[arg(long)]
        keep_connection: bool,
        /// Filter the feed by the audiences of posts
        #[arg(long)]
        audiences: bool,
    },
    /// Write the workload as an import file
    Generate {
        #[command(flatten)]
        size: data::Size,
        /// Give half of the root posts an audience, with the connections and tags for it
        #[arg(long)]
        limited: bool,
        file: PathBuf,
    },
    /// Generate the load of a plan, and print a summary
    Load { plan: PathBuf },
    /// Measure the time until commands are effective, and print a summary
    Probe { plan: PathBuf },
    /// Serve a recorded response with bare axum
    BareServer {
        listen: SocketAddr,
        response: PathBuf,
    },
    /// Run a feed statement of read-api in a loop of bare sqlx
    BareReads {
        /// The name of the statement
        #[arg(long)]
        statement: String,
        /// Keep one connection per task
        #[arg(long)]
        keep_connection: bool,
        #[command(flatten)]
        settings: LoopSettings,
    },
    /// Execute commands with bare sqlx, one transaction each
    BareWrites {
        #[command(flatten)]
        settings: LoopSettings,
    },
}

/// The settings of both loops.
#[derive(clap::Args)]
struct LoopSettings {
    /// A JSON file with the viewers or commands
    input: PathBuf,
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    #[arg(long)]
    connections: u32,
    /// Seconds before the measurement
    #[arg(long)]
    warm_up: f64,
    /// Seconds of the measurement
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
        // It starts its own threads.
        Cli::Load { plan } => print(&load::run(json(&plan)?)?),
        // On the main thread: the kernel stops the child processes when the thread that started them ends.
        Cli::Run { settings } => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let all_met = runtime.block_on(until_signal(run::run(settings)))?;
            anyhow::ensure!(all_met, "some targets are missed");
            Ok(())
        }
        cli => {
            let runtime = Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(subcommand(cli))
        }
    }
}

/// Runs a future until SIGTERM or SIGINT. Dropping it kills the processes that it has started.
async fn until_signal<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::select! {
        result = future => result,
        _ = terminate.recv() => bail!("stopped by a signal"),
        _ = interrupt.recv() => bail!("stopped by a signal"),
    }
}

async fn subcommand(cli: Cli) -> Result<()> {
    match cli {
        Cli::Generate {
            size,
            limited,
            file,
        } => Ok(data::write(
            size,
            limited,
            &mut BufWriter::new(File::create(file)?),
        )?),
        Cli::Load { .. } | Cli::Run { .. } => Ok(()),
        Cli::NPlusOne {
            listen,
            database_url,
            keep_connection,
            audiences,
        } => n_plus_one::serve(listen, &database_url, keep_connection, audiences).await,
        Cli::Probe { plan } => print(&load::probe(json(&plan)?).await?),
        Cli::BareServer { listen, response } => bare::serve(listen, &response).await,
        Cli::BareReads {
            statement,
            keep_connection,
            settings,
        } => {
            let viewers: Vec<_> = json(&settings.input)?;
            let LoopSettings {
                database_url,
                connections,
                warm_up,
                seconds,
                ..
            } = settings;
            let reads = bare::Reads {
                url: &database_url,
                statement: &statement,
                keep_connection,
            };
            print(&bare::reads(reads, connections, &viewers, warm_up, seconds).await?)
        }
        Cli::BareWrites { settings } => {
            let commands = json(&settings.input)?;
            let LoopSettings {
                database_url,
                connections,
                warm_up,
                seconds,
                ..
            } = settings;
            print(&bare::writes(&database_url, connections, commands, warm_up, seconds).await?)
        }
    }
}

fn json<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&bytes).with_context(|| file.display().to_string())
}

fn print(summary: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(summary)?);
    Ok(())
}
