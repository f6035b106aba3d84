//! `/v1/counts`.

use axum::extract::State;
use feedmill_events::Tag;
use serde::Serialize;
use utoipa::ToSchema;

use super::Result;
use crate::{
    cache::{answer::Answer, answers::Key, feeds::FeedCache},
    http::{request_context::RequestContext, respond::respond},
    sql,
    state::AppState,
};

const PATH: &str = "/v1/counts";

/// How much the caller has not read, as the lists have it.
#[derive(Debug, Serialize, ToSchema)]
struct Counts {
    /// The `unread_count` of the feed. 1,000 means 1,000 or more.
    #[schema(minimum = 0, maximum = 1_000)]
    feed: i64,
    /// The `unread_total` of the conversations.
    #[schema(minimum = 0)]
    conversations: i64,
    /// The `unread_count` of the notifications.
    #[schema(minimum = 0)]
    notifications: i64,
    /// The `total` of the incoming requests for a connection.
    #[schema(minimum = 0)]
    connection_requests: i64,
}

/// Count what is unread
#[utoipa::path(
    get,
    path = "/v1/counts",
    operation_id = "getCounts",
    tag = "Accounts",
    responses((status = 200, body = Counts)),
)]
pub async fn unread(State(state): State<AppState>, context: RequestContext) -> Result {
    let viewer = context.viewer;
    let load = || async {
        let version = state.tag_versions.current();
        let cached = state.caches.feeds.followees(viewer);
        let cached = cached.filter(|_| !context.bypass_cache);
        let counts = sql::counts::unread(&state.database, viewer, cached.is_none()).await?;
        let followee_tags = cached.unwrap_or_else(|| {
            let followees = counts.followees.as_deref().unwrap_or_default();
            state
                .caches
                .feeds
                .insert_followees(viewer, version, followees)
        });
        // Besides those of the feed.
        let own = [
            Tag::conversations,
            Tag::muted_conversations,
            Tag::notifications,
            Tag::mutes,
            Tag::requests_received,
        ];
        let own = own.map(|tag| tag(viewer)).into_iter();
        let counts = Counts {
            feed: counts.feed,
            conversations: counts.conversations,
            notifications: counts.notifications,
            connection_requests: counts.connection_requests,
        };
        let tags = own.chain(FeedCache::tags(viewer, &followee_tags));
        Ok(Answer::new(&counts)?.depending_on(tags))
    };
    let key = Key::new(viewer, PATH.to_owned());
    respond(&state.caches.answers, &context, key, load).await
}
