//! All projections: lag, rate, owners, generation, last rebuild; and what is done with all of them.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};

use super::{
    badge::Badge,
    error::PageError,
    fields::Fields,
    format,
    page::{HOME, Page, html},
    state::Console,
    tasks::Task,
    visitor::Visitor,
};
use crate::{
    command::rebuild::Operation,
    command::status::{
        report::{ProjectionReport, Report},
        table,
    },
    projection,
};

#[derive(Template)]
#[template(path = "console/projections.html")]
struct ProjectionsPage {
    page: Page,
    table: ProjectionsTable,
    max_live_lag: i64,
}

#[derive(Template)]
#[template(path = "console/projections_table.html")]
struct ProjectionsTable {
    report: Arc<Report>,
    tasks: Vec<Option<Task>>,
}

impl ProjectionsTable {
    async fn read(console: &Console) -> Result<Self, PageError> {
        let report = console.live.report().await?;
        let tasks = report.projections.iter();
        let tasks = tasks.map(|it| console.tasks.of(&it.name)).collect();
        Ok(Self { report, tasks })
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let rows = self.report.projections.iter().zip(&self.tasks);
        rows.map(|(report, task)| Row { report, task })
    }

    fn stream(&self) -> String {
        table::relay(&self.report.relay)
    }

    fn living(&self) -> usize {
        self.report.instances.iter().filter(|it| it.living).count()
    }
}

struct Row<'a> {
    report: &'a ProjectionReport,
    task: &'a Option<Task>,
}

impl Row<'_> {
    fn badge(&self) -> Badge {
        Badge::of_projection(self.report)
    }

    /// What stands still, or what runs.
    fn detail(&self) -> String {
        let standing = self.report.standing.iter();
        let mut parts: Vec<String> = standing
            .map(|(why, count)| format!("{count} of 64 {why}"))
            .collect();
        match self.task {
            Some(task) if task.state.is_active() => {
                parts.push(format!("{} is running", task.operation.name()));
            }
            _ => parts.extend(table::rebuilding(self.report).map(|_| {
                let what = if self.report.is_locked {
                    "an operation is running"
                } else {
                    "a rebuild is unfinished"
                };
                what.to_owned()
            })),
        }
        parts.join(", ")
    }
}

pub async fn list(State(console): State<Console>, visitor: Visitor) -> Result<Response, PageError> {
    html(&ProjectionsPage {
        table: ProjectionsTable::read(&console).await?,
        page: Page::new("Projections", "projections", &visitor),
        max_live_lag: crate::rebuild::Settings::DEFAULT_MAX_LIVE_LAG,
    })
}

/// The fragment that pages refresh.
pub async fn table(State(console): State<Console>) -> Result<Response, PageError> {
    html(&ProjectionsTable::read(&console).await?)
}

/// For the charts.
pub async fn lag(State(console): State<Console>) -> Result<Response, PageError> {
    Ok(Json(console.live.series().await?).into_response())
}

/// Rebuilds or verifies all projections, one after the other.
pub async fn all(
    State(console): State<Console>,
    visitor: Visitor,
    Path(operation): Path<String>,
    fields: Fields,
) -> Result<Response, PageError> {
    let operation = match operation.as_str() {
        "rebuild" => Operation::Rebuild {
            accept_differences: false,
        },
        "verify" => Operation::Verify,
        _ => {
            return Err(PageError::not_found(format!(
                "operation {operation} for all projections"
            )));
        }
    };
    let settings = console.settings(&fields, &visitor)?;
    let projections = projection::ALL.to_vec();
    console
        .tasks
        .start(operation, projections, settings)
        .map_err(PageError::conflict)?;
    visitor.notify(format!("Started: {} of all projections.", operation.name()));
    Ok(Redirect::to(HOME).into_response())
}
