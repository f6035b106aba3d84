//! Runs an import.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::kit::{Stack, Target};

/// How an import went.
pub struct ImportRun {
    pub success: bool,
    pub output: String,
    pub took: Duration,
    /// In bytes.
    pub peak_memory: u64,
}

/// Runs `write-api import FILE` until it exits.
pub async fn import(target: &Target, file: &Path) -> ImportRun {
    let (target, file) = (target.clone(), file.display().to_string());
    let start = Instant::now();
    let run = move || target.run_measured("write-api", &["import", &file]);
    let run = tokio::task::spawn_blocking(run).await;
    let (output, peak_memory) = run.expect("the import's thread");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ImportRun {
        success: output.status.success(),
        output: text,
        took: start.elapsed(),
        peak_memory,
    }
}

/// Imports these records, one a line, from a file in the stack's folder. Panics if the import fails.
pub async fn import_lines(stack: &Stack, lines: impl IntoIterator<Item = String>) {
    let file = stack.file("import.ndjson");
    let lines: Vec<_> = lines.into_iter().collect();
    fs::write(&file, lines.join("\n") + "\n").expect("the file");
    let run = import(stack, &file).await;
    assert!(run.success, "{}", run.output);
}
