//! What operators did.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    error::PageError,
    fields::Fields,
    format,
    page::{Page, html},
    state::Console,
    visitor::Visitor,
};
use crate::{
    audit::{self, Filter, Recorded},
    projection,
};

/// Entries of a page.
const LIMIT: usize = 100;
const FIELDS: [&str; 3] = ["by", "action", "projection"];

#[derive(Template)]
#[template(path = "console/audit.html")]
struct AuditPage {
    page: Page,
    fields: Fields,
    entries: Vec<Recorded>,
    /// The query of the next page.
    older: Option<String>,
}

impl AuditPage {
    fn projections(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let chosen = self.fields.raw("projection").to_owned();
        projection::ALL
            .into_iter()
            .map(move |it| (it.name(), it.name() == chosen))
    }
}

pub async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, PageError> {
    let projection = fields.parsed("projection", |name| {
        projection::by_name(name).map_err(|_| "is not a projection")
    })?;
    let filter = Filter {
        by: fields.text("by")?,
        action: fields.text("action")?,
        projection: projection.map(|it| it.name().to_owned()),
        event: None,
    };
    let before = fields.number("before", 1)?;
    let mut db = console.database.connection().await?;
    let mut entries = audit::list(&filter, before, LIMIT as i64 + 1, &mut db).await?;
    let has_more = entries.len() > LIMIT;
    entries.truncate(LIMIT);
    let last = entries.last().filter(|_| has_more);
    html(&AuditPage {
        older: last.map(|last| fields.query_string(&FIELDS, &[("before", &last.id.to_string())])),
        page: Page::new("Audit", "audit", &visitor),
        fields,
        entries,
    })
}
