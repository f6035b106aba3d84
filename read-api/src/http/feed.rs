//! `/v1/feed`.

use std::sync::Arc;

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::Query;
use uuid::Uuid;

use crate::{
    answer::Answer,
    asked::Asked,
    error::Error,
    http::Result,
    page::{PageQuery, PageRequest},
    posts::Written,
    query,
    respond::respond,
    state::AppState,
    tags,
};

pub const PATH: &str = "/v1/feed";

pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    asked: Asked,
) -> Result {
    let request = PageRequest::new(&state.cursors, PATH, asked.viewer, &page)?;
    let load = || load(&state, &request, asked.unheard);
    respond(&state.cache, &asked, request.cache_key(), load).await
}

pub async fn load(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
    unheard: bool,
) -> std::result::Result<Answer, Error> {
    let viewer = request.viewer();
    let feed = match kept(state, request, unheard).await? {
        Some(feed) => feed,
        None => loaded(state, request).await?,
    };
    let tags = tags::feed(viewer, &feed.followed, &feed.posts);
    let (page, next) = request.fill(feed.posts, Written::id);
    Ok(Answer::new(&page, tags)?.with_next(next.as_deref()))
}

struct Feed {
    posts: Vec<Written>,
    /// The tags of the posts of everybody whom the viewer follows.
    followed: Arc<[Tag]>,
}

/// Of what is kept, if it is a usual page.
async fn kept(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
    unheard: bool,
) -> std::result::Result<Option<Feed>, Error> {
    if unheard || !state.posts.are_kept() {
        return Ok(None);
    }
    let (viewer, after, rows) = (request.viewer(), request.after(), request.rows());
    let (began, known) = (state.changes.now(), state.followed.kept(viewer));
    let listed = query::feed::listed(&state.database, viewer, after, rows, known.is_none());
    let Some(listed) = listed.await? else {
        return Ok(None);
    };
    let read = || listed.followed.as_deref().unwrap_or_default();
    let followed = known.unwrap_or_else(|| state.followed.keep(viewer, began, read()));
    let (ids, liked) = (&listed.posts, &listed.liked);
    let posts = state
        .posts
        .listed(&state.database, viewer, ids, liked)
        .await?;
    Ok(posts.map(|posts| Feed { posts, followed }))
}

async fn loaded(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
) -> std::result::Result<Feed, Error> {
    let (viewer, after, rows) = (request.viewer(), request.after(), request.rows());
    let began = state.changes.now();
    let feed = query::feed::page(&state.database, viewer, after, rows).await?;
    Ok(Feed {
        posts: state.posts.write(began, feed.posts)?,
        followed: feed.followed.into_iter().map(Tag::posts_of).collect(),
    })
}
