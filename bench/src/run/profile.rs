//! `--profile ROW`: profiling the server with perf.

use std::path::PathBuf;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

use super::{
    context::{Bench, progress},
    process::Process,
};

pub struct Recording {
    perf: Child,
    data: PathBuf,
    text: PathBuf,
}

/// Starts recording in the first run of the row to profile, for the duration of the measurement.
pub fn start(
    bench: &Bench,
    rows: &[&str],
    server: &Process,
    run: usize,
) -> Result<Option<Recording>> {
    let Some(row) = bench
        .profile
        .as_deref()
        .filter(|row| run == 0 && rows.contains(row))
    else {
        return Ok(None);
    };
    let data = bench.stack.folder.join("perf.data");
    let (pid, seconds) = (server.pid()?.to_string(), bench.seconds.to_string());
    let perf = Command::new("perf")
        .args(["record", "-q", "-F", "499", "-g", "-p", &pid, "-o"])
        .arg(&data)
        .args(["--", "sleep", &seconds])
        .kill_on_drop(true)
        .spawn()
        .context("--profile needs perf")?;
    let text = bench.out.join(format!("profile-{row}.txt"));
    Ok(Some(Recording { perf, data, text }))
}

/// Writes the report: functions by their share of the time, largest first.
pub async fn stop(recording: Option<Recording>) -> Result<()> {
    let Some(Recording {
        mut perf,
        data,
        text,
    }) = recording
    else {
        return Ok(());
    };
    perf.wait().await?;
    let report = Command::new("perf")
        .args([
            "report",
            "--stdio",
            "--no-children",
            "-g",
            "none",
            "--percent-limit",
            "0.3",
            "-i",
        ])
        .arg(&data)
        .output()
        .await?;
    std::fs::write(&text, report.stdout)?;
    progress(&format!("wrote the profile to {}", text.display()));
    Ok(())
}
