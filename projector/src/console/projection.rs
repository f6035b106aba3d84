//! One projection: its partitions, what it cannot apply, and the operation that runs.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    badge::Badge,
    error::PageError,
    format,
    page::{Page, html},
    state::Console,
    tasks::{Task, TaskState},
    visitor::Visitor,
};
use crate::{
    command::rebuild::Operation,
    command::status::{
        report::{PartitionReport, ProjectionReport, Report, Standing},
        snapshot::Blocked,
        table,
    },
    projection::{self, Definition},
    rebuild::Settings,
};

#[derive(Template)]
#[template(path = "console/projection.html")]
struct ProjectionPage {
    page: Page,
    name: &'static str,
    live: LiveProjection,
    max_live_lag: i64,
}

#[derive(Template)]
#[template(path = "console/projection_live.html")]
struct LiveProjection {
    name: &'static str,
    report: Arc<Report>,
    task: Option<Task>,
}

/// By the name in a path.
pub fn definition(name: &str) -> Result<&'static Definition, PageError> {
    projection::by_name(name).map_err(|_| PageError::not_found(format!("projection {name}")))
}

impl LiveProjection {
    async fn read(console: &Console, name: &'static str) -> Result<Self, PageError> {
        let report = console.live.report().await?;
        if report.projection(name).is_none() {
            return Err(PageError::not_found(format!(
                "checkpoint of {name}: no projector has run it yet"
            )));
        }
        Ok(Self {
            name,
            report,
            task: console.tasks.of(name),
        })
    }

    fn projection(&self) -> &ProjectionReport {
        let found = self.report.projection(self.name);
        found.expect("`read` has checked that it is there")
    }

    fn badge(&self) -> Badge {
        Badge::of_projection(self.projection())
    }

    fn blocked(&self) -> Vec<(&PartitionReport, &Blocked)> {
        let partitions = self.projection().partitions.iter();
        let blocked = partitions.filter_map(|it| match &it.standing {
            Some(Standing::Blocked(blocked)) => Some((it, blocked)),
            _ => None,
        });
        blocked.collect()
    }

    /// Why partitions stand still that no event blocks: each reason, with its partitions.
    fn standing(&self) -> Vec<(String, String)> {
        let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for partition in &self.projection().partitions {
            if let Some(standing) = &partition.standing
                && !matches!(standing, Standing::Blocked(_) | Standing::Stalled { .. })
            {
                let reason = table::describe(standing);
                let reason = reason.trim_start_matches("; ").to_owned();
                reasons
                    .entry(reason)
                    .or_default()
                    .push(partition.partition.to_string());
            }
        }
        let name = |partitions: Vec<String>| match partitions.len() {
            64 => "all partitions".to_owned(),
            1 => format!("partition {}", partitions[0]),
            _ => format!("partitions {}", partitions.join(", ")),
        };
        reasons
            .into_iter()
            .map(|(reason, partitions)| (name(partitions), reason))
            .collect()
    }

    fn cells(&self) -> Vec<(&PartitionReport, Badge)> {
        let partitions = self.projection().partitions.iter();
        partitions.map(|it| (it, Badge::of_partition(it))).collect()
    }

    /// An operation that this process does not run.
    fn elsewhere(&self) -> Option<String> {
        let is_here = self
            .task
            .as_ref()
            .is_some_and(|task| task.state.is_active());
        (!is_here)
            .then(|| table::rebuilding(self.projection()))
            .flatten()
    }

    /// How far the unfinished rebuild is: applied events, and all events.
    fn rebuild_progress(&self) -> Option<(i64, i64)> {
        let projection = self.projection();
        let head = projection.partitions.iter().map(|it| it.head).sum();
        projection.rebuilding.as_ref().map(|it| (it.applied, head))
    }

    /// Whether the rebuilt tables wait for a decision about their differences.
    fn awaits_decision(&self) -> bool {
        self.task.as_ref().is_some_and(|task| {
            task.state == TaskState::Differs && matches!(task.operation, Operation::Rebuild { .. })
        }) && self.projection().rebuilding.is_some()
    }
}

impl Task {
    fn sentence(&self) -> String {
        let noun = match self.operation {
            Operation::Rebuild { .. } => "rebuild",
            Operation::Verify => "verification",
            Operation::Rollback => "rollback",
            Operation::DropPrevious | Operation::Abort => "deletion",
        };
        match &self.state {
            TaskState::Waiting => format!("The {noun} waits for the projections before it"),
            TaskState::Running => format!("The {noun} is running"),
            TaskState::Done => format!("The {noun} is complete"),
            TaskState::Differs => format!("The {noun} has found differences and changed nothing"),
            TaskState::Busy => {
                format!("The {noun} did not start: another operation of this projection is running")
            }
            TaskState::Failed(error) => format!("The {noun} failed: {error}"),
        }
    }

    fn class(&self) -> &'static str {
        match self.state {
            TaskState::Waiting | TaskState::Running => "busy",
            TaskState::Done => "good",
            TaskState::Differs | TaskState::Busy | TaskState::Failed(_) => "bad",
        }
    }
}

pub async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    let name = definition(&name)?.name();
    html(&ProjectionPage {
        live: LiveProjection::read(&console, name).await?,
        page: Page::new(name, "projections", &visitor),
        name,
        max_live_lag: Settings::DEFAULT_MAX_LIVE_LAG,
    })
}

/// The fragment that the page refreshes.
pub async fn live(
    State(console): State<Console>,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    html(&LiveProjection::read(&console, definition(&name)?.name()).await?)
}
