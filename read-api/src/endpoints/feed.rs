//! `/v1/feed`.

use std::time::Instant;

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::Query;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Result;
use crate::{
    cache::{
        answer::{Answer, LoadedAnswer},
        feeds::{FeedCache, FolloweeTags},
        posts::{RenderedPost, with_posts},
    },
    error::Error,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
    },
    seek::Seek,
    sql::{self, feed::Reading},
    state::AppState,
    views::{FeedPostPage, Page},
};

pub const PATH: &str = "/v1/feed";

/// A page of the caller's feed, and how much of the feed is unread.
#[derive(Debug, Serialize, ToSchema)]
struct FeedList {
    #[serde(flatten)]
    page: FeedPostPage,
    /// How many posts of others on all pages are newer than the caller's mark. 1,000 means 1,000 or more.
    #[schema(minimum = 0, maximum = 1_000)]
    unread_count: i64,
}

/// Read the caller's feed
///
/// Posts of the caller and of the accounts that the caller follows or is connected with and does not mute, without replies, newest
/// first. Without a mark, everything by
/// others is unread.
#[utoipa::path(
    get,
    path = "/v1/feed",
    operation_id = "getFeed",
    tag = "Posts",
    params(PageQuery),
    responses((status = 200, body = FeedList)),
)]
pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let request = PageRequest::new(&state.cursors, PATH, context.viewer, &page)?;
    let load = || load(&state, &request, context.bypass_cache);
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

pub async fn load(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
    bypass_cache: bool,
) -> std::result::Result<LoadedAnswer, Error> {
    let leads_back = matches!(request.seek(), Seek::Before(_));
    let assembled = if bypass_cache || leads_back {
        None
    } else {
        assemble(state, request).await?
    };
    let feed = match assembled {
        Some(feed) => feed,
        None => load_full(state, request).await?,
    };
    let tags = tags(request.viewer(), &feed);
    let (page, link) = request.page(feed.posts, RenderedPost::id);
    let Reading { mark, unread_count } = feed.reading;
    let posts = page.items.iter().map(|post| {
        let read = post.author() == request.viewer() || post.id() <= mark;
        post.feed_json(read)
    });
    let list = FeedList {
        page: Page {
            items: vec![],
            next_cursor: page.next_cursor,
            prev_cursor: page.prev_cursor,
        },
        unread_count,
    };
    let json = with_posts(&list, posts)?;
    let answer = Answer::from_json(json.as_bytes()).with_link(link);
    Ok(answer.depending_on(tags))
}

struct Feed {
    posts: Vec<RenderedPost>,
    /// [`Tag::posts_of`] of each account whose posts come to the viewer's feed.
    followee_tags: FolloweeTags,
    reading: Reading,
}

/// Those of the feed, and the posts on the page with their authors' names.
fn tags(viewer: Uuid, feed: &Feed) -> Vec<Tag> {
    let shown = feed
        .posts
        .iter()
        .flat_map(|post| [Tag::post(post.id()), Tag::account_summary(post.author())]);
    FeedCache::tags(viewer, &feed.followee_tags)
        .chain(shown)
        .collect()
}

/// The page from cached fragments: one statement for the ids, and one for missing fragments. None if the page cannot be
/// assembled. Not for a page that leads back.
async fn assemble(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
) -> std::result::Result<Option<Feed>, Error> {
    if !state.caches.posts.is_usable() {
        return Ok(None);
    }
    let (viewer, rows) = (request.viewer(), request.rows());
    let before = request.seek().key();
    let (version, listed_from) = (state.tag_versions.current(), Instant::now());
    let (followees, reading) = (
        state.caches.feeds.followees(viewer),
        state.caches.feeds.reading(viewer),
    );
    let missing = sql::feed::Missing {
        followees: followees.is_none(),
        reading: reading.is_none(),
    };
    let ids = sql::feed::page_ids(&state.database, viewer, before, rows, missing);
    let Some(ids) = ids.await? else {
        return Ok(None);
    };
    let followee_tags = followees.unwrap_or_else(|| {
        let followees = ids.followees.as_deref().unwrap_or_default();
        state
            .caches
            .feeds
            .insert_followees(viewer, version, followees)
    });
    let reading = reading.unwrap_or_else(|| {
        let reading = ids.reading.unwrap_or_default();
        let feeds = &state.caches.feeds;
        feeds.insert_reading(viewer, version, reading, &followee_tags);
        reading
    });
    let posts = state
        .caches
        .posts
        .by_ids(&state.database, viewer, listed_from, &ids.posts, &ids.likes)
        .await?;
    Ok(posts.map(|posts| Feed {
        posts,
        followee_tags,
        reading,
    }))
}

/// The page by one statement.
async fn load_full(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
) -> std::result::Result<Feed, Error> {
    let (viewer, rows) = (request.viewer(), request.rows());
    let version = state.tag_versions.current();
    let page = match request.seek() {
        Seek::Before(key) => sql::feed::page_back(&state.database, viewer, key, rows).await?,
        seek => sql::feed::full_page(&state.database, viewer, seek.key(), rows).await?,
    };
    Ok(Feed {
        posts: state.caches.posts.insert(viewer, version, page.posts)?,
        followee_tags: page.followees.into_iter().map(Tag::posts_of).collect(),
        reading: page.reading,
    })
}
