use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem, extract::Path};
use uuid::Uuid;

use super::{request::CommandRequest, response};
use crate::{
    app::App,
    domain::{LinkAction, LinkCommand, LinkKind},
};

/// Who links, and to what.
type Link = (State<App>, Caller, Path<Uuid>);

/// Like a post
///
/// The request also succeeds if the caller already likes the post.
#[utoipa::path(
    put,
    path = "/v1/posts/{id}/like",
    operation_id = "likePost",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post.")),
    responses((status = 204)),
    extensions(("x-problems" = json!(["blocked"])), ("x-quota" = json!("reactions"))),
)]
pub async fn like(link: Link, request: CommandRequest) -> Result<Response, Problem> {
    submit(link, request, LinkKind::Like, LinkAction::Add).await
}

/// Take back a like
///
/// The request also succeeds if the caller does not like the post, or the post does not exist.
#[utoipa::path(
    delete,
    path = "/v1/posts/{id}/like",
    operation_id = "unlikePost",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post.")),
    responses((status = 204)),
)]
pub async fn unlike(link: Link, request: CommandRequest) -> Result<Response, Problem> {
    submit(link, request, LinkKind::Like, LinkAction::Remove).await
}

/// Bookmark a post
///
/// Only the caller can see the bookmark. The request also succeeds if the caller has already bookmarked the post.
#[utoipa::path(
    put,
    path = "/v1/posts/{id}/bookmark",
    operation_id = "bookmarkPost",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post.")),
    responses((status = 204)),
    extensions(("x-problems" = json!(["blocked"])), ("x-quota" = json!("reactions"))),
)]
pub async fn bookmark(link: Link, request: CommandRequest) -> Result<Response, Problem> {
    submit(link, request, LinkKind::Bookmark, LinkAction::Add).await
}

/// Remove a bookmark
///
/// The request also succeeds if the caller has not bookmarked the post, or the post does not exist.
#[utoipa::path(
    delete,
    path = "/v1/posts/{id}/bookmark",
    operation_id = "removeBookmark",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post.")),
    responses((status = 204)),
)]
pub async fn remove_bookmark(link: Link, request: CommandRequest) -> Result<Response, Problem> {
    submit(link, request, LinkKind::Bookmark, LinkAction::Remove).await
}

/// Follow an account
///
/// The request also succeeds if the caller already follows the account.
#[utoipa::path(
    put,
    path = "/v1/users/{id}/follow",
    operation_id = "followUser",
    tag = "Accounts",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 204)),
    extensions(("x-problems" = json!(["self_follow", "blocked"])), ("x-quota" = json!("follows"))),
)]
pub async fn follow(link: Link, request: CommandRequest) -> Result<Response, Problem> {
    submit(link, request, LinkKind::Follow, LinkAction::Add).await
}

/// Stop following an account
///
/// The request also succeeds if the caller does not follow the account, or the account does not exist.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}/follow",
    operation_id = "unfollowUser",
    tag = "Accounts",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 204)),
)]
pub async fn unfollow(link: Link, request: CommandRequest) -> Result<Response, Problem> {
    submit(link, request, LinkKind::Follow, LinkAction::Remove).await
}

/// Mute an account
///
/// The caller's feed, digest and stream leave out the posts of the account, and the caller's notifications leave out those that
/// the account causes. The account does not learn of it. The request also succeeds if the caller already mutes the account.
#[utoipa::path(
    put,
    path = "/v1/users/{id}/mute",
    operation_id = "muteUser",
    tag = "Accounts",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 204)),
    extensions(("x-problems" = json!(["self_mute"])), ("x-quota" = json!("reactions"))),
)]
pub async fn mute(link: Link, request: CommandRequest) -> Result<Response, Problem> {
    submit(link, request, LinkKind::Mute, LinkAction::Add).await
}

/// Stop muting an account
///
/// The request also succeeds if the caller does not mute the account, or the account does not exist.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}/mute",
    operation_id = "unmuteUser",
    tag = "Accounts",
    params(("id" = Uuid, Path, description = "The account.")),
    responses((status = 204)),
)]
pub async fn unmute(link: Link, request: CommandRequest) -> Result<Response, Problem> {
    submit(link, request, LinkKind::Mute, LinkAction::Remove).await
}

/// 204, also if nothing changes.
async fn submit(
    (State(app), Caller(caller), Path(target)): Link,
    request: CommandRequest,
    kind: LinkKind,
    action: LinkAction,
) -> Result<Response, Problem> {
    let command = LinkCommand {
        kind,
        action,
        target,
    };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
