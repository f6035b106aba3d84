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

/// Of posts that are kept, if all of them are.
async fn kept(
    state: &AppState,
    request: &PageRequest<'_, Uuid>,
    unheard: bool,
) -> sqlx::Result<Option<FeedPage<Written>>> {
    if unheard || !state.posts.are_kept() {
        return Ok(None);
    }
    let (viewer, after, rows) = (request.viewer(), request.after(), request.rows());
    let listed = query::feed::listed(&state.database, viewer, after, rows).await?;
    Ok(listed.and_then(|listed| {
        Some(FeedPage {
            posts: state.posts.all(&listed.posts, &listed.liked)?,
            followed: listed.followed,
        })
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
