//! `/v1/users/{id or @handle}…` and `/v1/me`.

use axum::{Extension, extract::State};
use feedmill_service::extract::{Path, Query};

use crate::{
    answer::Answer,
    auth::Viewer,
    error::Error,
    http::Result,
    page::{NoQuery, PageQuery, PageRequest},
    query::{self, user::FollowKey},
    state::AppState,
    user_ref::UserRef,
    view::{Follow, Page},
};

const NOBODY: Error = Error::NotFound("user");

pub async fn me(
    State(state): State<AppState>,
    Extension(Viewer(viewer)): Extension<Viewer>,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result {
    let profile = query::user::profile(&state.pool, &UserRef::Id(viewer))
        .await?
        .ok_or(NOBODY)?;
    Answer::new(&profile)
}

pub async fn profile(
    State(state): State<AppState>,
    Path(user): Path<String>,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result {
    let profile = query::user::profile(&state.pool, &parse(&user)?)
        .await?
        .ok_or(NOBODY)?;
    Answer::new(&profile)
}

pub async fn posts(
    State(state): State<AppState>,
    Extension(Viewer(viewer)): Extension<Viewer>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result {
    let user = parse(&user)?;
    let request = PageRequest::new(
        &state.cursors,
        format!("/v1/users/{user}/posts"),
        viewer,
        &page,
    )?;
    let posts = query::post::of_user(&state.pool, viewer, &user, request.after(), request.rows())
        .await?
        .ok_or(NOBODY)?;
    let (page, next) = request.fill(posts, |post| post.id);
    Ok(Answer::new(&page)?.with_next(next.as_deref()))
}

pub async fn followers(
    State(state): State<AppState>,
    Extension(Viewer(viewer)): Extension<Viewer>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result {
    let user = parse(&user)?;
    let request = PageRequest::new(
        &state.cursors,
        format!("/v1/users/{user}/followers"),
        viewer,
        &page,
    )?;
    let follows =
        query::user::followers(&state.pool, &user, request.after(), request.rows()).await?;
    follow_page(&request, follows)
}

pub async fn following(
    State(state): State<AppState>,
    Extension(Viewer(viewer)): Extension<Viewer>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result {
    let user = parse(&user)?;
    let request = PageRequest::new(
        &state.cursors,
        format!("/v1/users/{user}/following"),
        viewer,
        &page,
    )?;
    let follows =
        query::user::following(&state.pool, &user, request.after(), request.rows()).await?;
    follow_page(&request, follows)
}

fn follow_page(request: &PageRequest<'_, FollowKey>, follows: Option<Vec<Follow>>) -> Result {
    let (page, next): (Page<Follow>, _) = request.fill(follows.ok_or(NOBODY)?, |follow| {
        (follow.followed_at, follow.card.id)
    });
    Ok(Answer::new(&page)?.with_next(next.as_deref()))
}

fn parse(user: &str) -> std::result::Result<UserRef, Error> {
    user.parse().map_err(|_| NOBODY)
}
