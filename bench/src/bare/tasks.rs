//! Collecting the results of tasks.

use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::summary::{Recorder, Summary};

/// Waits for all tasks and merges their results. Errors: the first error of a task.
pub(super) async fn join_all(
    tasks: Vec<JoinHandle<Result<Recorder>>>,
    elapsed: Duration,
) -> Result<Summary> {
    let mut recorders = Vec::new();
    for task in tasks {
        recorders.push(task.await??);
    }
    Ok(Recorder::merge(recorders, elapsed))
}
