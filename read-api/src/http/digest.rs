//! `/v1/digest`.

use std::time::SystemTime;

use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use feedmill_service::extract::Query;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    answer::Answer,
    asked::Asked,
    cache::Key,
    error::Error,
    http::Result,
    period::{Period, midnight},
    posts::Written,
    query::{self, digest::BEST},
    respond::respond,
    state::AppState,
    tags,
    view::{Counters, Digest},
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
        let (counters, top_posts) = match kept(&state, &asked, from, to).await? {
            Some(digest) => digest,
            None => loaded(&state, asked.viewer, from, to).await?,
        };
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

/// Chosen by the scores that are kept, of posts that are, if it is a usual digest.
async fn kept(
    state: &AppState,
    asked: &Asked,
    from: NaiveDate,
    to: NaiveDate,
) -> std::result::Result<Option<(Counters, Vec<Written>)>, Error> {
    if asked.unheard || !state.posts.are_kept() {
        return Ok(None);
    }
    let Some(listed) = query::digest::listed(&state.database, asked.viewer, from, to).await? else {
        return Ok(None);
    };
    let scores = state.scores.best(&state.database, &listed.posts, BEST);
    let Some(best) = scores.await? else {
        return Ok(None);
    };
    let posts = state
        .posts
        .listed(&state.database, asked.viewer, &best, &listed.liked)
        .await?;
    Ok(posts.map(|posts| (listed.counters, posts)))
}

async fn loaded(
    state: &AppState,
    viewer: Uuid,
    from: NaiveDate,
    to: NaiveDate,
) -> std::result::Result<(Counters, Vec<Written>), Error> {
    let began = state.changes.now();
    let (counters, posts) = query::digest::read(&state.database, viewer, from, to).await?;
    Ok((counters, state.posts.write(began, posts)?))
}
