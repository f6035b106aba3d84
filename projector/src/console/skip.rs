//! Skipping the event that blocks a partition, with a reason.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};

use super::{
    error::PageError,
    event::event_at,
    fields::Fields,
    format,
    page::{Page, html},
    projection::definition,
    state::Console,
    visitor::Visitor,
};
use crate::{
    command::{
        events::{EventReport, event_report},
        skip::{self, skip},
    },
    effects::Effect,
};

#[derive(Template)]
#[template(path = "console/skip.html")]
struct SkipPage {
    page: Page,
    name: &'static str,
    report: EventReport,
}

/// Projection, partition and sequence number.
type Target = (String, String, String);

pub async fn confirm(
    State(console): State<Console>,
    visitor: Visitor,
    Path(target): Path<Target>,
) -> Result<Response, PageError> {
    let name = definition(&target.0)?.name();
    let event = event_at(&target.1, &target.2)?;
    let mut db = console.database.connection().await?;
    let report = event_report(event, false, &mut db).await?;
    let missing = || PageError::not_found(format!("event {}:{}", event.0, event.1));
    html(&SkipPage {
        page: Page::new("Skip an event", "projections", &visitor),
        name,
        report: report.ok_or_else(missing)?,
    })
}

impl SkipPage {
    /// How the event blocks this projection. None if it does not.
    fn effect(&self) -> Option<&Effect> {
        let blocks = |it: &&Effect| it.projection == self.name && it.state.name() == "blocked";
        self.report.effects.iter().find(blocks)
    }
}

pub async fn act(
    State(console): State<Console>,
    visitor: Visitor,
    Path(target): Path<Target>,
    fields: Fields,
) -> Result<Response, PageError> {
    let (partition, seq) = event_at(&target.1, &target.2)?;
    let args = skip::Args {
        name: definition(&target.0)?,
        partition,
        seq,
        reason: fields.required("reason")?,
        by: visitor.name().to_owned(),
    };
    let mut db = console.database.connection().await?;
    visitor.notify(skip(&args, &mut db).await?);
    console.live.fresh_report().await?;
    Ok(Redirect::to(&format!("/console/projections/{}", args.name.name())).into_response())
}
