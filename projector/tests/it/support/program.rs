//! The projector as a process, and its subcommands.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use feedmill_tests::kit::{self, Process};
use serde_json::Value;

use super::database::Database;

const PROGRAM: &str = env!("CARGO_BIN_EXE_projector");

fn environment(database_url: &str, nats_url: &str) -> Vec<(String, String)> {
    [
        ("PROJECTOR_DATABASE_URL", database_url),
        ("NATS_URL", nats_url),
        ("PROJECTOR_LISTEN", "127.0.0.1:0"),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("USER", "somebody"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The program with its settings, for tests that need its pipes.
pub fn command(database: &Database, nats_url: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.envs(environment(&database.url, nats_url));
    command
}

/// Starts a projector.
pub fn start(database: &Database, nats_url: &str, args: &[&str]) -> Process {
    start_at(database, &database.url, nats_url, args)
}

/// Starts a projector that connects to this URL of the database.
pub fn start_at(database: &Database, database_url: &str, nats_url: &str, args: &[&str]) -> Process {
    let name = format!("projector-{:08x}", rand::random::<u32>());
    let mut process = Process::new(&name, Path::new(PROGRAM), database.folder.path())
        .arguments(args)
        .environment(environment(database_url, nats_url));
    process.launch();
    process
}

/// Stops a projector with SIGTERM. Returns how long that took.
pub async fn stop(mut process: Process) -> Duration {
    let start = Instant::now();
    assert!(process.stop().await.success(), "{}", process.log());
    start.elapsed()
}

async fn output(database: &Database, nats_url: &str, args: &[&str]) -> Output {
    let environment = environment(&database.url, nats_url);
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    // Workers of the test may share its thread.
    let running = tokio::task::spawn_blocking(move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        kit::run(Path::new(PROGRAM), &args, &environment)
    });
    running.await.unwrap()
}

pub struct Exit {
    pub code: i32,
    /// Standard output and standard error.
    pub text: String,
}

/// Runs a subcommand.
pub async fn run(database: &Database, nats_url: &str, args: &[&str]) -> Exit {
    let output = output(database, nats_url, args).await;
    Exit {
        code: output.status.code().unwrap(),
        text: String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
    }
}

/// Runs a subcommand. Returns its output, or its error output.
pub async fn operate(database: &Database, nats_url: &str, args: &[&str]) -> Result<String, String> {
    let output = output(database, nats_url, args).await;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// The output of `status --json`.
pub async fn status(database: &Database, nats_url: &str) -> Value {
    let text = operate(database, nats_url, &["status", "--json"]).await;
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// One projection in the output of `status --json`.
pub fn of<'a>(status: &'a Value, projection: &str) -> &'a Value {
    let all = status["projections"].as_array().unwrap();
    all.iter().find(|p| p["name"] == projection).unwrap()
}
