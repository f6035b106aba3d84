//! `/v1/me/posts`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::{FieldError, extract::Query};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    Result,
    posts::shown,
    users::{continued, resolved},
};
use crate::{
    cache::answer::Answer,
    error::Error,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
        sort_key::OfAccount,
    },
    sql,
    state::AppState,
    user_ref::UserRef,
    views::{Post, PostPage},
};

/// In place of an account: somebody who sees what is public.
const STRANGER: UserRef = UserRef::Id(Uuid::nil());

/// Who looks at the caller's posts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SeenByQuery {
    /// `public` for a stranger, or an account: its id, or `@` and its handle. Without it, the caller.
    #[serde(rename = "as")]
    #[param(required = false)]
    seen_by: Option<String>,
}

/// List the caller's posts as somebody else sees them
///
/// Replies, too, newest first. Each is as that account would get it: with its audience, and whether that account likes it.
#[utoipa::path(
    get,
    path = "/v1/me/posts",
    operation_id = "listOwnPosts",
    tag = "Posts",
    params(SeenByQuery, PageQuery),
    responses((status = 200, body = PostPage)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn page(
    State(state): State<AppState>,
    Query(query): Query<SeenByQuery>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let author = context.viewer;
    let seen_by = match query.seen_by.as_deref() {
        None => UserRef::Id(author),
        Some("public") => STRANGER,
        Some(user) => parse(user)?,
    };
    let path = match query.seen_by.as_deref() {
        None => "/v1/me/posts".to_owned(),
        Some("public") => "/v1/me/posts?as=public".to_owned(),
        Some(_) => format!("/v1/me/posts?as={seen_by}"),
    };
    let request = PageRequest::new(&state.cursors, path, author, &page)?;
    let load = || async {
        let (seen_by, seek) = continued(&seen_by, request.seek());
        let found = sql::posts::seen_by(&state.database, author, &seen_by, seek, request.rows());
        let (viewer, posts) = found.await?.ok_or(Error::NotFound("user"))?;
        let mut tags = vec![
            Tag::posts_of(author),
            Tag::access(author),
            Tag::blocks(author),
            Tag::likes(viewer),
        ];
        tags.extend(resolved(&seen_by, viewer));
        tags.extend(shown(viewer, &posts));
        let key = |post: &Post| OfAccount {
            account: viewer,
            key: post.id,
        };
        let (page, link) = request.page(posts, key);
        Answer::page(&page, link, tags)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

fn parse(user: &str) -> std::result::Result<UserRef, Error> {
    let user = user.parse().ok().filter(|user| *user != STRANGER);
    user.ok_or_else(|| {
        let message = "must be `public`, the id of an account, or `@` and a handle".to_owned();
        Error::Parameters(vec![FieldError::new("as", message)])
    })
}
