//! Rebuilds, verifications and rollbacks that the console has started, and how far they are.
//!
//! They run in this process, one for each projection. A process that stops leaves what a stopped subcommand leaves: the next rebuild
//! continues.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use chrono::{DateTime, Utc};

use crate::{
    command::rebuild::Operation,
    projection::Definition,
    rebuild::{
        Outcome, Settings,
        output::Output,
        progress::{Difference, Progress},
    },
};

/// More messages and differences are dropped.
const MAX_MESSAGES: usize = 50;
const MAX_DIFFERENCES: usize = 100;

/// Cheap to clone; clones share the tasks.
#[derive(Debug, Clone, Default)]
pub struct Tasks(Arc<Mutex<BTreeMap<&'static str, Task>>>);

/// The last operation of a projection.
#[derive(Debug, Clone)]
pub struct Task {
    pub operation: Operation,
    pub by: String,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub state: TaskState,
    pub phase: Option<Phase>,
    /// What it said, in order.
    pub messages: Vec<String>,
    pub differences: Vec<Difference>,
    /// Differences that are not in the list.
    pub dropped: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// For the projections before it.
    Waiting,
    Running,
    Done,
    Differs,
    Busy,
    Failed(String),
}

#[derive(Debug, Clone)]
pub struct Phase {
    pub name: &'static str,
    /// Applied events and their number, if the phase applies events.
    pub events: Option<(i64, i64)>,
    pub per_second: f64,
    pub seconds_left: Option<f64>,
}

impl TaskState {
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

impl Task {
    fn take(&mut self, progress: Progress) {
        match progress {
            Progress::Step { phase } => {
                self.phase = Some(Phase {
                    name: phase,
                    events: None,
                    per_second: 0.0,
                    seconds_left: None,
                });
            }
            Progress::Phase {
                phase,
                events,
                total,
                events_per_second,
                seconds_left,
            } => {
                self.phase = Some(Phase {
                    name: phase,
                    events: Some((events, total)),
                    per_second: events_per_second,
                    seconds_left: seconds_left.filter(|_| events > 0),
                });
            }
            Progress::Difference { difference } if self.differences.len() < MAX_DIFFERENCES => {
                self.differences.push(difference);
            }
            Progress::Difference { .. } => self.dropped += 1,
            Progress::Live {
                live, how, events, ..
            } => {
                self.say(format!(
                    "generation {live} is live, {how}; {events} events applied"
                ));
            }
            Progress::Says { says } => self.say(says),
        }
    }

    /// Drops a message that repeats the last one, as those about waiting do but for a number.
    fn say(&mut self, message: String) {
        if self.messages.len() < MAX_MESSAGES && self.messages.last() != Some(&message) {
            self.messages.push(message);
        }
    }
}

impl Tasks {
    pub fn of(&self, projection: &str) -> Option<Task> {
        self.lock().get(projection).cloned()
    }

    /// Starts an operation for these projections, one after the other. Errors: another one of any of them is running here.
    pub fn start(
        &self,
        operation: Operation,
        projections: Vec<&'static Definition>,
        settings: Settings,
    ) -> Result<(), String> {
        let mut tasks = self.lock();
        for projection in &projections {
            let name = projection.name();
            if let Some(task) = tasks.get(name).filter(|task| task.state.is_active()) {
                return Err(format!(
                    "{} of {name} is running already, started by {}",
                    task.operation.name(),
                    task.by
                ));
            }
        }
        for projection in &projections {
            let task = Task {
                operation,
                by: settings.by.clone(),
                started_at: now(),
                ended_at: None,
                state: TaskState::Waiting,
                phase: None,
                messages: vec![],
                differences: vec![],
                dropped: 0,
            };
            tasks.insert(projection.name(), task);
        }
        drop(tasks);
        let tasks = self.clone();
        tokio::spawn(async move {
            for projection in projections {
                tasks.run(operation, projection, &settings).await;
            }
        });
        Ok(())
    }

    async fn run(
        &self,
        operation: Operation,
        projection: &'static Definition,
        settings: &Settings,
    ) {
        self.update(projection, |task| task.state = TaskState::Running);
        let tasks = self.clone();
        let mut output = Output::to(Box::new(move |projection, progress| {
            tasks.update(projection, |task| task.take(progress));
        }));
        let result = operation.run(projection, settings, &mut output).await;
        let state = match result {
            Ok(Outcome::Done) => TaskState::Done,
            Ok(Outcome::Differs) => TaskState::Differs,
            Ok(Outcome::Busy) => TaskState::Busy,
            Err(error) => {
                tracing::warn!(
                    projection = projection.name(),
                    operation = operation.name(),
                    error = format!("{error:#}"),
                    "console: an operation failed; what it made stays, and the next rebuild continues"
                );
                TaskState::Failed(format!("{error:#}"))
            }
        };
        self.update(projection, |task| {
            task.state = state;
            task.phase = None;
            task.ended_at = Some(now());
        });
    }

    fn update(&self, projection: &Definition, change: impl FnOnce(&mut Task)) {
        if let Some(task) = self.lock().get_mut(projection.name()) {
            change(task);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}
