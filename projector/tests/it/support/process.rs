//! The projector as a process, and its subcommands.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use uuid::Uuid;

use super::database::Database;

/// The program with its settings.
pub fn command(database_url: &str, nats_url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_projector"));
    command
        .env("PROJECTOR_DATABASE_URL", database_url)
        .env("NATS_URL", nats_url)
        .env("PROJECTOR_LISTEN", "127.0.0.1:0")
        .env("USER", "somebody");
    command
}

/// A running projector. Killed when the test ends.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub fn start(database: &Database, nats_url: &str, args: &[&str]) -> Self {
        Self::start_at(&database.url, nats_url, args)
    }

    pub fn start_at(database_url: &str, nats_url: &str, args: &[&str]) -> Self {
        let name = format!("projector-test-{}.log", Uuid::new_v4().simple());
        let log = std::env::temp_dir().join(name);
        let child = command(database_url, nats_url)
            .args(args)
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// TERM, STOP or CONT.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it cleanly. Returns how long that took.
    pub fn stop(mut self) -> Duration {
        let start = Instant::now();
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
        start.elapsed()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            println!("{}", self.log());
        }
        let _ = std::fs::remove_file(&self.log);
    }
}

/// Runs a subcommand. Returns its output, or its error output.
pub async fn operate(database: &Database, nats_url: &str, args: &[&str]) -> Result<String, String> {
    let mut command = tokio::process::Command::from(command(&database.url, nats_url));
    let output = command.args(args).output().await.unwrap();
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
