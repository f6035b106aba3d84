//! `/v1/feed`.

use std::sync::Arc;

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::Query;
use uuid::Uuid;

use super::Result;
use crate::{
    cache::{
        answer::{Answer, LoadedAnswer},
        posts::RenderedPost,
    },
    error::Error,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
    },
    seek::Seek,
    sql,
    state::AppState,
    views::PostPage,
};

pub const PATH: &str = "/v1/feed";

/// Read the caller's feed
///
/// Posts of the caller and of the accounts that the caller follows, without replies, newest first.
#[utoipa::path(
    get,
    path = "/v1/feed",
    operation_id = "getFeed",
    tag = "Posts",
    params(PageQuery),
    responses((status = 200, body = PostPage)),
)]
pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let request = PageRequest::new(&state.cursors, PATH, context.viewer, &page)?;
    let load = || load(&state, &request, context.bypass_cache);
    respond(&state.answers, &context, request.cache_key(), load).await
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
    Answer::page(&page, link, tags)
}

struct Feed {
    posts: Vec<RenderedPost>,
    /// [`Tag::posts_of`] of each account that the viewer follows.
    followee_tags: Arc<[Tag]>,
}

/// The accounts that the feed is made of, their posts, and the posts on the page with their authors' names.
fn tags(viewer: Uuid, feed: &Feed) -> Vec<Tag> {
    let shown = feed
        .posts
        .iter()
        .flat_map(|post| [Tag::post(post.id()), Tag::account_summary(post.author())]);
    [Tag::feed(viewer), Tag::posts_of(viewer)]
        .into_iter()
        .chain(feed.followee_tags.iter().copied())
        .chain(shown)
        .collect()
}

/// The page from cached fragments: one statement for the ids, and one for missing fragments. None if the page cannot be
/// assembled. Not for a page that leads back.
async fn assemble(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
) -> std::result::Result<Option<Feed>, Error> {
    if !state.posts.is_usable() {
        return Ok(None);
    }
    let (viewer, rows) = (request.viewer(), request.rows());
    let before = request.seek().key();
    let version = state.tag_versions.current();
    let cached = state.followees.get(viewer);
    let ids = sql::feed::page_ids(&state.database, viewer, before, rows, cached.is_none());
    let Some(ids) = ids.await? else {
        return Ok(None);
    };
    let followee_tags = cached.unwrap_or_else(|| {
        let followees = ids.followees.as_deref().unwrap_or_default();
        state.followees.insert(viewer, version, followees)
    });
    let posts = state
        .posts
        .by_ids(&state.database, viewer, &ids.posts, &ids.likes)
        .await?;
    Ok(posts.map(|posts| Feed {
        posts,
        followee_tags,
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
        posts: state.posts.insert(version, page.posts)?,
        followee_tags: page.followees.into_iter().map(Tag::posts_of).collect(),
    })
}
