//! `/v1/users/{id or @handle}…` and `/v1/me`.

use axum::extract::State;
use feedmill_service::extract::{Path, Query};

use crate::{
    answer::Answer,
    asked::Asked,
    cache::Key,
    error::Error,
    http::Result,
    page::{NoQuery, PageQuery, PageRequest},
    query,
    respond::respond,
    state::AppState,
    tags,
    user_ref::UserRef,
};

const NOBODY: Error = Error::NotFound("user");

pub async fn me(
    State(state): State<AppState>,
    Query(NoQuery {}): Query<NoQuery>,
    asked: Asked,
) -> Result {
    profile_of(&state, &asked, &UserRef::Id(asked.viewer)).await
}

pub async fn profile(
    State(state): State<AppState>,
    Path(user): Path<String>,
    Query(NoQuery {}): Query<NoQuery>,
    asked: Asked,
) -> Result {
    profile_of(&state, &asked, &parse(&user)?).await
}

/// The same for whoever asks.
async fn profile_of(state: &AppState, asked: &Asked, user: &UserRef) -> Result {
    let key = Key::of(None, format!("/v1/users/{user}"));
    let load = || async {
        let profile = query::user::profile(&state.database, user)
            .await?
            .ok_or(NOBODY)?;
        Answer::new(&profile, tags::profile(user, profile.card.id))
    };
    respond(&state.cache, asked, key, load).await
}

pub async fn posts(
    State(state): State<AppState>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
    asked: Asked,
) -> Result {
    let (viewer, user) = (asked.viewer, parse(&user)?);
    let path = format!("/v1/users/{user}/posts");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (after, rows) = (request.after(), request.rows());
        let (person, posts) = query::post::of_user(&state.database, viewer, &user, after, rows)
            .await?
            .ok_or(NOBODY)?;
        let tags = tags::posts_of(&user, person, &posts);
        let (page, next) = request.fill(posts, |post| post.id);
        Ok(Answer::new(&page, tags)?.with_next(next.as_deref()))
    };
    respond(&state.cache, &asked, request.cache_key(), load).await
}

pub async fn followers(
    State(state): State<AppState>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
    asked: Asked,
) -> Result {
    let user = parse(&user)?;
    let path = format!("/v1/users/{user}/followers");
    let request = PageRequest::new(&state.cursors, path, asked.viewer, &page)?;
    let load = || async {
        let (person, follows) =
            query::user::followers(&state.database, &user, request.after(), request.rows())
                .await?
                .ok_or(NOBODY)?;
        let tags = tags::followers(&user, person, &follows);
        let (page, next) = request.fill(follows, |follow| (follow.followed_at, follow.card.id));
        Ok(Answer::new(&page, tags)?.with_next(next.as_deref()))
    };
    respond(&state.cache, &asked, request.cache_key(), load).await
}

pub async fn following(
    State(state): State<AppState>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
    asked: Asked,
) -> Result {
    let user = parse(&user)?;
    let path = format!("/v1/users/{user}/following");
    let request = PageRequest::new(&state.cursors, path, asked.viewer, &page)?;
    let load = || async {
        let (person, follows) =
            query::user::following(&state.database, &user, request.after(), request.rows())
                .await?
                .ok_or(NOBODY)?;
        let tags = tags::following(&user, person, &follows);
        let (page, next) = request.fill(follows, |follow| (follow.followed_at, follow.card.id));
        Ok(Answer::new(&page, tags)?.with_next(next.as_deref()))
    };
    respond(&state.cache, &asked, request.cache_key(), load).await
}

fn parse(user: &str) -> std::result::Result<UserRef, Error> {
    user.parse().map_err(|_| NOBODY)
}
