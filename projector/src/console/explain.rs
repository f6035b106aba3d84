//! Why somebody sees a post, or does not.

use askama::Template;
use axum::{extract::State, response::Response};
use uuid::Uuid;

use super::{
    error::PageError,
    fields::Fields,
    page::{Page, html},
    state::Console,
    visitor::Visitor,
};
use crate::command::explain::{self, Report};

#[derive(Template)]
#[template(path = "console/explain.html")]
struct ExplainPage {
    page: Page,
    fields: Fields,
    report: Option<Report>,
}

fn page(visitor: &Visitor, fields: Fields, report: Option<Report>) -> Result<Response, PageError> {
    html(&ExplainPage {
        page: Page::new("Explain", "explain", visitor),
        fields,
        report,
    })
}

pub async fn form(visitor: Visitor, fields: Fields) -> Result<Response, PageError> {
    page(&visitor, fields, None)
}

/// By POST, since it is recorded.
pub async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, PageError> {
    let post = fields.parsed("post", |id| {
        Uuid::parse_str(id).map_err(|_| "is not the id of a post")
    })?;
    let args = explain::Args {
        viewer: fields.required("viewer")?,
        post: post.ok_or_else(|| PageError::field("post", "is missing"))?,
        reason: fields.required("reason")?,
        by: visitor.name().to_owned(),
        json: false,
    };
    let report = explain::report(&args, &console.config).await?;
    page(&visitor, fields, Some(report))
}
