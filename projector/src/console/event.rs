//! One event: its content, its effect on each read model, and what operators did with it.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use feedmill_events::Partition;
use uuid::Uuid;

use super::{
    brief::filter_of,
    error::PageError,
    fields::Fields,
    format,
    page::{Page, html},
    state::Console,
    visitor::Visitor,
};
use crate::command::events::{EventReport, Texts, event_report, place};

#[derive(Template)]
#[template(path = "console/event.html")]
struct EventPage {
    page: Page,
    report: EventReport,
    with_texts: bool,
}

impl EventPage {
    /// The posts, conversations and accounts in the event, whose events can be followed: each id with its name in the event.
    fn ids(&self) -> Vec<(String, Uuid, &'static str)> {
        let fields = self
            .report
            .event
            .data
            .as_ref()
            .and_then(|data| data.as_object());
        let id = |(name, value): (&String, &serde_json::Value)| {
            let id = Uuid::parse_str(value.as_str()?).ok()?;
            let filter = filter_of(name)?;
            Some((name.replace('_', " "), id, filter))
        };
        fields.into_iter().flatten().filter_map(id).collect()
    }
}

/// By the segments of a path.
pub fn event_at(partition: &str, seq: &str) -> Result<(Partition, i64), PageError> {
    let id = format!("{partition}:{seq}");
    place(&id).map_err(|_| PageError::not_found(format!("event {id}")))
}

async fn page(
    console: &Console,
    visitor: &Visitor,
    event: (Partition, i64),
    with_texts: bool,
) -> Result<Response, PageError> {
    let mut db = console.database.connection().await?;
    let report = event_report(event, with_texts, &mut db).await?;
    let id = format!("event {}:{}", event.0, event.1);
    html(&EventPage {
        page: Page::new(&id, "log", visitor),
        report: report.ok_or_else(|| PageError::not_found(&id))?,
        with_texts,
    })
}

pub async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path((partition, seq)): Path<(String, String)>,
) -> Result<Response, PageError> {
    page(&console, &visitor, event_at(&partition, &seq)?, false).await
}

/// The same page with texts, which is recorded.
pub async fn with_texts(
    State(console): State<Console>,
    visitor: Visitor,
    Path((partition, seq)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, PageError> {
    let event = event_at(&partition, &seq)?;
    let texts = Texts {
        texts: true,
        reason: Some(fields.required("reason")?),
        by: visitor.name().to_owned(),
    };
    let mut db = console.database.connection().await?;
    texts
        .record(
            Some(event),
            &format!("event {}:{}", event.0, event.1),
            &mut db,
        )
        .await?;
    drop(db);
    page(&console, &visitor, event, true).await
}
