//! `/v1/digest`.

use std::time::SystemTime;

use axum::{Extension, extract::State};
use chrono::{DateTime, Utc};
use feedmill_service::extract::Query;
use serde::Deserialize;

use crate::{
    answer::Answer,
    auth::Viewer,
    error::Error,
    http::Result,
    period::{Period, midnight},
    query,
    state::AppState,
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
    Extension(Viewer(viewer)): Extension<Viewer>,
    Query(asked): Query<DigestQuery>,
) -> Result {
    let today = DateTime::<Utc>::from(SystemTime::now()).date_naive();
    let period = Period::parse(asked.period.as_deref(), asked.date.as_deref(), today)
        .map_err(Error::Parameters)?;
    let (counters, top_posts) =
        query::digest::read(&state.pool, viewer, period.from, period.to).await?;
    Answer::new(&Digest {
        period: period.name,
        from: midnight(period.from),
        to: midnight(period.to),
        counters,
        top_posts,
    })
}
