//! The log: its events, latest first, filtered by partition, type, time, account and thread.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use feedmill_events::EventType;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    error::PageError,
    fields::Fields,
    format,
    page::{Page, html},
    state::Console,
    visitor::Visitor,
};
use crate::{
    command::events::{Count, Filter, Texts, parse_time, place},
    history::{self, Cursor, Query, ShownEvent},
};

/// Events of a page.
const LIMIT: usize = 50;
/// The fields of the form, which its links repeat.
const FIELDS: [&str; 6] = ["partition", "type", "since", "until", "account", "thread"];

#[derive(Template)]
#[template(path = "console/log.html")]
struct LogPage {
    page: Page,
    fields: Fields,
    list: LogList,
    with_texts: bool,
    follows: bool,
    /// By type, if that was asked for.
    counts: Option<Vec<Count>>,
}

#[derive(Template)]
#[template(path = "console/log_list.html")]
struct LogList {
    events: Vec<ShownEvent>,
    examined: i64,
    /// The query of the next page.
    older: Option<String>,
}

impl LogPage {
    fn types(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let chosen = self.fields.raw("type").to_owned();
        EventType::ALL
            .iter()
            .map(move |it| (it.name(), it.name() == chosen))
    }

    fn query(&self) -> String {
        self.fields.query_string(&FIELDS, &[])
    }
}

/// The same filter as of `projector events`.
fn filter(fields: &Fields) -> Result<Filter, PageError> {
    let time = |name| fields.parsed::<DateTime<Utc>, _>(name, parse_time);
    let kind = fields.parsed("type", |name| {
        name.parse::<EventType>()
            .map_err(|_| "is not a type of events")
    })?;
    let thread = fields.parsed("thread", |id| {
        Uuid::parse_str(id).map_err(|_| "is not the id of a post or of a conversation")
    })?;
    let filter = Filter {
        partition: fields.partition("partition")?,
        from: None,
        kind: kind.map(|kind| kind.name().to_owned()),
        since: time("since")?,
        until: time("until")?,
        account: fields.text("account")?,
        thread,
    };
    if filter.account.is_some() && filter.thread.is_some() {
        return Err(PageError::field(
            "thread",
            "cannot be combined with account",
        ));
    }
    Ok(filter)
}

impl LogList {
    async fn read(
        fields: &Fields,
        with_texts: bool,
        db: &mut PgConnection,
    ) -> Result<Self, PageError> {
        let filter = filter(fields)?;
        let cursor: Option<Cursor> = fields.parsed("before", str::parse)?;
        let subject = filter.subject(db).await?;
        let query = Query {
            partition: filter.partition,
            kind: filter.kind,
            since: filter.since,
            until: filter.until,
            subject,
        };
        let page = history::browse(&query, cursor.as_ref(), LIMIT, db).await?;
        let events = page
            .records
            .iter()
            .map(|it| ShownEvent::new(it, with_texts));
        Ok(Self {
            events: events.collect(),
            examined: page.examined,
            older: page
                .next
                .map(|next| fields.query_string(&FIELDS, &[("before", &next.to_string())])),
        })
    }
}

pub async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, PageError> {
    if let Some((partition, seq)) = fields.parsed("id", place)? {
        return Ok(Redirect::to(&format!("/console/log/{partition}/{seq}")).into_response());
    }
    let mut db = console.database.connection().await?;
    let counts = if fields.is_set("count") {
        Some(count(&fields, &mut db).await?)
    } else {
        None
    };
    html(&LogPage {
        list: LogList::read(&fields, false, &mut db).await?,
        page: Page::new("Log", "log", &visitor),
        with_texts: false,
        follows: fields.is_set("follow") && !fields.is_set("before"),
        counts,
        fields,
    })
}

async fn count(fields: &Fields, db: &mut PgConnection) -> Result<Vec<Count>, PageError> {
    let filter = filter(fields)?;
    filter.ensure_countable()?;
    let counts = history::count(db, &filter.part(None), filter.kind.as_deref()).await?;
    let count = |(kind, count)| Count { kind, count };
    Ok(counts.into_iter().map(count).collect())
}

/// The fragment that a page refreshes which follows the log.
pub async fn table(State(console): State<Console>, fields: Fields) -> Result<Response, PageError> {
    let mut db = console.database.connection().await?;
    html(&LogList::read(&fields, false, &mut db).await?)
}

/// The same page with texts, which is recorded. By POST, so that no link leads to it.
pub async fn with_texts(
    State(console): State<Console>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, PageError> {
    let texts = Texts {
        texts: true,
        reason: Some(fields.required("reason")?),
        by: visitor.name().to_owned(),
    };
    let what = filter(&fields)?.to_string();
    let mut db = console.database.connection().await?;
    texts.record(None, &what, &mut db).await?;
    html(&LogPage {
        list: LogList::read(&fields, true, &mut db).await?,
        page: Page::new("Log", "log", &visitor),
        with_texts: true,
        follows: false,
        counts: None,
        fields,
    })
}
