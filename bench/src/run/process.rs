//! Child processes, which end with this process.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::load::{Connection, get};

const START_STOP_TIMEOUT: Duration = Duration::from_mins(1);
/// Clock ticks per second in `/proc/<pid>/stat`: 100 on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server process, which is killed on drop.
pub struct Process {
    name: String,
    child: Child,
    pub address: String,
    /// The address of its metrics and readiness.
    pub admin_address: String,
    log: std::path::PathBuf,
}

/// A command whose process the kernel stops when the thread that spawns it ends. Spawn it from the main thread.
pub fn command(program: &Path, arguments: &[&str], environment: &[(&str, String)]) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "TERM"])
        .arg(program)
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// An unused address.
pub fn free_address() -> Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}

impl Process {
    /// Starts a server that listens at `address` and for operators at `admin_address`, and waits until it answers `path`
    /// there with 200.
    pub async fn start(
        name: &str,
        mut command: Command,
        address: &str,
        admin_address: &str,
        path: &str,
        folder: &Path,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let mut process = Self {
            name: name.to_owned(),
            child,
            address: address.to_owned(),
            admin_address: admin_address.to_owned(),
            log,
        };
        process.wait_until_ready(path).await?;
        Ok(process)
    }

    async fn wait_until_ready(&mut self, path: &str) -> Result<()> {
        let until = Instant::now() + START_STOP_TIMEOUT;
        let request = get(0, path, "");
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}): {}", self.name, self.last_log_line());
            }
            let mut connection = Connection::new(&self.admin_address);
            if let Ok(response) = connection.send(request.bytes.as_bytes()).await
                && response.is_success()
            {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("{} is not ready: {}", self.name, self.last_log_line());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn last_log_line(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }

    pub fn pid(&self) -> Result<u32> {
        self.child
            .id()
            .with_context(|| format!("{} has ended", self.name))
    }

    /// The processor time so far in seconds.
    pub fn cpu(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()?))?;
        // Fields 14 and 15 of proc(5). The name in parentheses may contain spaces.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let fields = rest.split_whitespace().skip(11).take(2);
        let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS_PER_SECOND)
    }

    /// The resident memory in bytes.
    pub fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("there is no VmRSS in /proc/<pid>/status")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    }

    /// Sends SIGTERM and waits until the process has ended.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.pid()?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        let ended = tokio::time::timeout(START_STOP_TIMEOUT, self.child.wait()).await;
        ended.with_context(|| format!("{} does not stop", self.name))??;
        Ok(())
    }
}

/// Runs a command and gives its standard output. Errors: it failed; with the last line of its standard error.
pub async fn output(mut command: Command) -> Result<String> {
    let output = command.stderr(Stdio::piped()).output().await?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let last = error.lines().rfind(|line| !line.trim().is_empty());
        bail!("{}: {}", output.status, last.unwrap_or("no error message"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
