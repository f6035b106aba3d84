//! `/v1/feed`.

use axum::extract::State;
use feedmill_service::extract::Query;
use uuid::Uuid;

use crate::{
    answer::Answer,
    asked::Asked,
    error::Error,
    http::Result,
    page::{PageQuery, PageRequest},
    posts::Written,
    query::{self, feed::FeedPage},
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
    let tags = tags::feed(viewer, &feed);
    let (page, next) = request.fill(feed.posts, Written::id);
    Ok(Answer::new(&page, tags)?.with_next(next.as_deref()))
}

/// Of posts that are kept, if it is a usual page.
async fn kept(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
    unheard: bool,
) -> std::result::Result<Option<FeedPage<Written>>, Error> {
    if unheard || !state.posts.are_kept() {
        return Ok(None);
    }
    let (viewer, after, rows) = (request.viewer(), request.after(), request.rows());
    let Some(listed) = query::feed::listed(&state.database, viewer, after, rows).await? else {
        return Ok(None);
    };
    let (ids, liked) = (&listed.posts, &listed.liked);
    let posts = state
        .posts
        .listed(&state.database, viewer, ids, liked)
        .await?;
    Ok(posts.map(|posts| FeedPage {
        posts,
        followed: listed.followed,
    }))
}

async fn loaded(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
) -> std::result::Result<FeedPage<Written>, Error> {
    let (viewer, after, rows) = (request.viewer(), request.after(), request.rows());
    let began = state.changes.now();
    let feed = query::feed::page(&state.database, viewer, after, rows).await?;
    Ok(FeedPage {
        posts: state.posts.write(began, feed.posts)?,
        followed: feed.followed,
    })
}
