//! Processes of ours, which end with this one.

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

const PATIENCE: Duration = Duration::from_mins(1);
/// Of the kernel's clock in `/proc/<pid>/stat`, on every Linux there is.
const TICKS: f64 = 100.0;

/// A server. It is killed when this is dropped.
pub struct Process {
    name: String,
    child: Child,
    pub address: String,
    log: std::path::PathBuf,
}

/// A command whose process the kernel ends if this one is killed. To be started from the main thread, whose end it
/// is that counts.
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

/// An address that nobody listens at.
pub fn free_address() -> Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}

impl Process {
    /// Starts a server that listens at `address`, and waits until `path` is answered 200.
    pub async fn start(
        name: &str,
        mut command: Command,
        address: &str,
        path: &str,
        folder: &Path,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let mut process = Self {
            name: name.to_owned(),
            child,
            address: address.to_owned(),
            log,
        };
        process.ready(path).await?;
        Ok(process)
    }

    async fn ready(&mut self, path: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        let request = get(0, path, "");
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}): {}", self.name, self.last_words());
            }
            let mut connection = Connection::to(&self.address);
            if let Ok(answer) = connection.ask(request.bytes.as_bytes()).await
                && answer.is_good()
            {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("{} is not ready: {}", self.name, self.last_words());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }

    pub fn pid(&self) -> Result<u32> {
        self.child
            .id()
            .with_context(|| format!("{} has ended", self.name))
    }

    /// Seconds of processor time that it has used.
    pub fn cpu(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()?))?;
        // After the name in parentheses, which may have spaces: fields 14 and 15 of proc(5).
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let fields = rest.split_whitespace().skip(11).take(2);
        let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS)
    }

    /// Resident memory now, in bytes.
    pub fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.pid()?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        let waited = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        waited.with_context(|| format!("{} does not stop", self.name))??;
        Ok(())
    }
}

/// Runs a command to its end and gives what it printed. Errors: it failed; with its last line.
pub async fn output(mut command: Command) -> Result<String> {
    let output = command.stderr(Stdio::piped()).output().await?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let last = error.lines().rfind(|line| !line.trim().is_empty());
        bail!("{}: {}", output.status, last.unwrap_or("no word of why"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
