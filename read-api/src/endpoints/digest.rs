//! `/v1/digest`.

use std::time::{Instant, SystemTime};

use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use feedmill_events::Tag;
use feedmill_service::extract::Query;
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{Object, ObjectBuilder, Type},
};
use uuid::Uuid;

use super::Result;
use crate::{
    cache::{
        answer::Answer,
        answers::Key,
        posts::{RenderedPost, with_posts},
    },
    error::Error,
    http::{
        period::{Period, midnight},
        request_context::RequestContext,
        respond::respond,
    },
    sql::{self, digest::MAX_TOP_POSTS},
    state::AppState,
    views::{DigestCounters, Post, rfc3339},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DigestQuery {
    /// A UTC day, which is the default, or an ISO week from Monday to Monday.
    #[param(required = false, schema_with = period_names)]
    period: Option<String>,
    /// Any day of the period, by default today. The year is 1 to 9998.
    #[param(required = false, value_type = NaiveDate, example = "2024-04-13")]
    date: Option<String>,
}

/// As [`Period::parse`] accepts them.
fn period_names() -> Object {
    let names = ObjectBuilder::new().schema_type(Type::String);
    names.enum_values(Some(["day", "week"])).build()
}

/// A day or week of the caller.
#[derive(Debug, Serialize, ToSchema)]
struct Digest {
    #[schema(schema_with = period_names)]
    period: &'static str,
    #[serde(with = "rfc3339")]
    from: DateTime<Utc>,
    /// Exclusive.
    #[serde(with = "rfc3339")]
    to: DateTime<Utc>,
    counters: DigestCounters,
    /// The best posts of the caller's feed in the period, best first.
    #[schema(max_items = 50)]
    top_posts: Vec<Post>,
}

/// Get the digest of a day or week
///
/// What happened to the caller, and the best posts of the caller's feed.
#[utoipa::path(
    get,
    path = "/v1/digest",
    operation_id = "getDigest",
    tag = "Posts",
    params(DigestQuery),
    responses((status = 200, body = Digest)),
)]
pub async fn read(
    State(state): State<AppState>,
    Query(query): Query<DigestQuery>,
    context: RequestContext,
) -> Result {
    let today = DateTime::<Utc>::from(SystemTime::now()).date_naive();
    let period = Period::parse(query.period.as_deref(), query.date.as_deref(), today)
        .map_err(Error::Parameters)?;
    let viewer = context.viewer;
    let path = format!("/v1/digest?period={}&date={}", period.name, period.from);
    let load = || async {
        let assembled = if context.bypass_cache {
            None
        } else {
            assemble(&state, viewer, period).await?
        };
        let (counters, top_posts) = match assembled {
            Some(digest) => digest,
            None => load_full(&state, viewer, period).await?,
        };
        let tags = tags(viewer, period.from, period.to, &top_posts);
        let digest = Digest {
            period: period.name,
            from: midnight(period.from),
            to: midnight(period.to),
            counters,
            top_posts: vec![],
        };
        let json = with_posts(&digest, top_posts.iter().map(RenderedPost::json))?;
        Ok(Answer::from_json(json.as_bytes()).depending_on(tags))
    };
    respond(
        &state.caches.answers,
        &context,
        Key::new(viewer, path),
        load,
    )
    .await
}

/// The counters, the accounts that the feed is made of, what the viewer may see, the candidates, and the top posts with their authors' names.
fn tags(viewer: Uuid, from: NaiveDate, to: NaiveDate, top_posts: &[RenderedPost]) -> Vec<Tag> {
    let days = from.iter_days().take_while(|day| *day < to);
    let shown = top_posts
        .iter()
        .flat_map(|post| [Tag::post(post.id()), Tag::account_summary(post.author())]);
    [Tag::digest(viewer), Tag::feed(viewer), Tag::access(viewer)]
        .into_iter()
        .chain(days.map(Tag::posts_of_day))
        .chain(shown)
        .collect()
}

/// The digest from cached scores and fragments: one statement for the candidates, one for missing scores, and one for
/// missing fragments. None if the digest cannot be assembled.
async fn assemble(
    state: &AppState,
    viewer: Uuid,
    period: Period,
) -> std::result::Result<Option<(DigestCounters, Vec<RenderedPost>)>, Error> {
    if !state.caches.posts.is_usable() {
        return Ok(None);
    }
    let listed_from = Instant::now();
    let candidates = sql::digest::candidates(&state.database, viewer, period.from, period.to);
    let Some(candidates) = candidates.await? else {
        return Ok(None);
    };
    let top = state
        .caches
        .scores
        .top(&state.database, &candidates.posts, MAX_TOP_POSTS);
    let Some(top) = top.await? else {
        return Ok(None);
    };
    let posts = state
        .caches
        .posts
        .by_ids(
            &state.database,
            viewer,
            listed_from,
            &top,
            &candidates.likes,
        )
        .await?;
    Ok(posts.map(|posts| (candidates.counters, posts)))
}

/// The digest by one statement.
async fn load_full(
    state: &AppState,
    viewer: Uuid,
    period: Period,
) -> std::result::Result<(DigestCounters, Vec<RenderedPost>), Error> {
    let version = state.tag_versions.current();
    let full = sql::digest::full(&state.database, viewer, period.from, period.to);
    let (counters, posts) = full.await?;
    Ok((counters, state.caches.posts.insert(viewer, version, posts)?))
}
