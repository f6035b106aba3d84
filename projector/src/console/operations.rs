//! What is slow, the pools, the caches, the stream, the instances; and the indexes on a page of their own.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use feedmill_events::CacheCommand;
use feedmill_service::{
    database::PoolStatus,
    http::performance::{Latencies, Latency},
};

use super::{
    error::PageError,
    fields::Fields,
    format,
    page::{Page, html},
    state::Console,
    visitor::Visitor,
};
use crate::command::{
    cache, indexes,
    status::{report::Report, table},
};

#[derive(Template)]
#[template(path = "console/operations.html")]
struct OperationsPage {
    page: Page,
    live: LiveOperations,
}

#[derive(Template)]
#[template(path = "console/operations_live.html")]
struct LiveOperations {
    report: Arc<Report>,
    latencies: Latencies,
    pool: PoolStatus,
}

#[derive(Template)]
#[template(path = "console/indexes.html")]
struct IndexesPage {
    page: Page,
    report: indexes::Report,
}

impl LiveOperations {
    async fn read(console: &Console) -> Result<Self, PageError> {
        Ok(Self {
            report: console.live.report().await?,
            latencies: Latencies::now(),
            pool: console.database.status(),
        })
    }

    fn slowest(&self) -> [(&'static str, &[Latency]); 2] {
        [
            ("Statements", &self.latencies.slowest_statements),
            ("Routes", &self.latencies.slowest_routes),
        ]
    }

    fn stream(&self) -> String {
        table::relay(&self.report.relay)
    }
}

/// What a latency is of.
fn label(latency: &Latency) -> String {
    let of = |name: &str| latency.labels.get(name).cloned();
    of("statement").unwrap_or_else(|| {
        let (method, route) = (of("method"), of("route"));
        format!(
            "{} {}",
            method.unwrap_or_default(),
            route.unwrap_or_default()
        )
    })
}

pub async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Response, PageError> {
    html(&OperationsPage {
        live: LiveOperations::read(&console).await?,
        page: Page::new("Operations", "operations", &visitor),
    })
}

/// The fragment that the page refreshes.
pub async fn live(State(console): State<Console>) -> Result<Response, PageError> {
    html(&LiveOperations::read(&console).await?)
}

pub async fn indexes(
    State(console): State<Console>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let mut db = console.database.connection().await?;
    html(&IndexesPage {
        report: indexes::report(&mut db).await?,
        page: Page::new("Indexes", "operations", &visitor),
    })
}

/// Has all read-apis empty or clean up their caches.
pub async fn cache(
    State(console): State<Console>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, PageError> {
    let named = |name: &str| CacheCommand::ALL.into_iter().find(|it| it.name() == name);
    let command = fields.parsed("command", |name| {
        named(name).ok_or("is neither clear nor cleanup")
    })?;
    let command = command.ok_or_else(|| PageError::field("command", "is missing"))?;
    let reason = fields.required("reason")?;
    let mut db = console.database.connection().await?;
    let done = cache::announce(command, visitor.name(), &reason, &console.config, &mut db).await?;
    visitor.notify(done);
    Ok(Redirect::to("/console/operations").into_response())
}
