//! `/v1/digest`.

use std::time::SystemTime;

use axum::extract::State;
use chrono::{DateTime, Utc};
use feedmill_service::extract::Query;
use serde::Deserialize;

use crate::{
    answer::Answer,
    asked::Asked,
    cache::Key,
    error::Error,
    http::Result,
    period::{Period, midnight},
    query,
    respond::respond,
    state::AppState,
    tags,
    view::Digest,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestQuery {
    period: Option<String>,
    date: Option<String>,
}

pub async fn read(
    State(state): State<AppState>,
    Query(query): Query<DigestQuery>,
    asked: Asked,
) -> Result {
    let today = DateTime::<Utc>::from(SystemTime::now()).date_naive();
    let period = Period::parse(query.period.as_deref(), query.date.as_deref(), today)
        .map_err(Error::Parameters)?;
    let Period { name, from, to } = period;
    let key = Key::of(
        asked.viewer,
        format!("/v1/digest?period={name}&date={from}"),
    );
    let load = || async {
        let (counters, top_posts) =
            query::digest::read(&state.pool, asked.viewer, from, to).await?;
        let tags = tags::digest(asked.viewer, from, to, &top_posts);
        let digest = Digest {
            period: name,
            from: midnight(from),
            to: midnight(to),
            counters,
            top_posts,
        };
        Answer::new(&digest, tags)
    };
    respond(&state.cache, &asked, key, load).await
}
