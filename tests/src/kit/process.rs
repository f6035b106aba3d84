//! A child process with a log file, killed on drop.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::memory::peak_memory;

/// A service becomes ready within this time.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A service stops within this time after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);

pub struct Process {
    pub name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    health: String,
    child: Option<Child>,
}

impl Process {
    /// Not running yet. Its log is `folder/name.log`.
    pub fn new(name: &str, program: &Path, folder: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            log: folder.join(format!("{name}.log")),
            health: String::new(),
            child: None,
        }
    }

    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(OsString::from).collect();
        self
    }

    /// Its whole environment, but for PATH, HOME and TZ, which are those of the test.
    #[must_use]
    pub fn environment(mut self, environment: Vec<(String, String)>) -> Self {
        self.environment = environment;
        self
    }

    /// Changes the program, for the next start.
    pub fn set_program(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Changes a variable of its environment, for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The URL that answers 200 once the process is ready.
    #[must_use]
    pub fn health(mut self, url: String) -> Self {
        self.health = url;
        self
    }

    /// Starts it, without waiting until it is ready.
    pub fn launch(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("a log file");
        let child = command(&self.program, &self.environment)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn();
        let fail = |error| {
            panic!(
                "cannot start {} ({}): {error}",
                self.name,
                self.program.display()
            )
        };
        self.child = Some(child.unwrap_or_else(fail));
    }

    /// Waits until its health URL answers 200.
    pub async fn ready(&mut self) {
        let http = crate::client::http();
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(status) = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten())
            {
                panic!(
                    "{} exited before it was ready: {status}\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            let answer = http.get(&self.health).send().await;
            if answer
                .as_ref()
                .is_ok_and(|answer| answer.status().is_success())
            {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} is not ready after {START_TIMEOUT:?}: {answer:?}\n{}",
                self.name,
                self.log_tail()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// SIGTERM, then waits until it has exited.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running process");
        assert!(signal("TERM", &[child.id()]), "SIGTERM to {}", self.name);
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            if let Some(status) = child.try_wait().expect("the state of a child") {
                return status;
            }
            if Instant::now() > deadline {
                child.kill().ok();
                panic!(
                    "{} does not exit after SIGTERM\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGKILL if it runs, then starts it again with the same settings and waits until it is ready.
    pub async fn restart(&mut self) {
        self.kill();
        self.launch();
        self.ready().await;
    }

    /// The URL of a path on a service's listener for operators, where its health is.
    pub fn operators_url(&self, path: &str) -> String {
        self.health.replace("/health/ready", path)
    }

    /// The metrics of a service, which are beside its health.
    pub async fn metrics(&self) -> String {
        let answer = crate::client::http().get(self.operators_url("/metrics"));
        let answer = answer.send().await;
        answer.expect("the metrics").text().await.expect("text")
    }

    /// Whether its health URL answers 200 now.
    pub async fn is_ready(&self) -> bool {
        let request = crate::client::http().get(&self.health);
        let answer = request.timeout(Duration::from_secs(2)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Its exit status, if it has exited by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends it a signal, for example `STOP`; whether it was running.
    pub fn signal(&self, name: &str) -> bool {
        self.pid().is_some_and(|pid| signal(name, &[pid]))
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let text = self.log();
        let lines: Vec<_> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(25)..];
        format!(
            "--- end of the log of {} ---\n{}\n",
            self.name,
            tail.join("\n")
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.log_tail());
        }
    }
}

/// Sends a signal to processes; whether all of them exist.
pub fn signal(name: &str, pids: &[u32]) -> bool {
    let pids: Vec<_> = pids.iter().map(u32::to_string).collect();
    let sent = Command::new("sh")
        .args([
            "-c",
            "name=$1; shift; kill -s \"$name\" \"$@\"",
            "kill",
            name,
        ])
        .args(pids)
        .stderr(Stdio::null())
        .status();
    sent.is_ok_and(|status| status.success())
}

/// A command with this environment only: a test must not depend on that of its caller.
fn command(program: &Path, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "HOME", "TZ"] {
        command.envs(super::setting(name).map(|value| (name, value)));
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// Runs a program until it exits.
pub fn run(program: &Path, arguments: &[&str], environment: &[(String, String)]) -> Output {
    run_measured(program, arguments, environment).0
}

/// The same; also returns its peak resident memory in bytes, sampled every 50 ms.
pub fn run_measured(
    program: &Path,
    arguments: &[&str],
    environment: &[(String, String)],
) -> (Output, u64) {
    let mut command = command(program, environment);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
    let folder = PathBuf::from(format!("/proc/{}", child.id()));
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let watcher = std::thread::spawn(move || {
        let mut peak = 0;
        while end.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout) {
            peak = peak_memory(&folder).unwrap_or(0).max(peak);
        }
        peak
    });
    let output = child.wait_with_output().expect("the exit of a child");
    drop(ended);
    (output, watcher.join().expect("the watching thread"))
}
