//! `/v1/tags…` and `/v1/users/{id or @handle}/tags`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use uuid::Uuid;

use super::{
    Result,
    account_lists::account_page,
    users::{UserPath, continued, or_newcomer, parse, resolved},
};
use crate::{
    cache::{answer::Answer, answers::Key},
    error::Error,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
        sort_key::OfAccount,
    },
    sql,
    state::AppState,
    views::{AudienceTag, TagMember, TagMemberList, TagPage},
};

const NOT_FOUND: Error = Error::NotFound("tag");

/// List the caller's tags
///
/// In the order in which they were made. Nobody else is told of them.
#[utoipa::path(
    get,
    path = "/v1/tags",
    operation_id = "listTags",
    tag = "Tags",
    params(PageQuery),
    responses((status = 200, body = TagPage)),
)]
pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let request = PageRequest::new(&state.cursors, "/v1/tags", viewer, &page)?;
    let load = || async {
        let (seek, rows) = (request.seek(), request.rows());
        let tags = sql::audience_tags::page(&state.database, viewer, seek, rows).await?;
        let (page, link) = request.page(tags, |tag| tag.id);
        Answer::page(&page, link, vec![Tag::audience_tags(viewer)])
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// Get a tag
#[utoipa::path(
    get,
    path = "/v1/tags/{id}",
    operation_id = "getTag",
    tag = "Tags",
    params(("id" = Uuid, Path, description = "The tag.")),
    responses((status = 200, body = AudienceTag)),
)]
pub async fn one(
    State(state): State<AppState>,
    Path(tag): Path<Uuid>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let load = || async {
        let found = sql::audience_tags::one(&state.database, viewer, tag).await?;
        let found = found.ok_or(NOT_FOUND)?;
        Ok(Answer::new(&found)?.depending_on([Tag::audience_tags(viewer)]))
    };
    let key = Key::new(viewer, format!("/v1/tags/{tag}"));
    respond(&state.caches.answers, &context, key, load).await
}

/// List the members of a tag
///
/// Latest first.
#[utoipa::path(
    get,
    path = "/v1/tags/{id}/members",
    operation_id = "listTagMembers",
    tag = "Tags",
    params(("id" = Uuid, Path, description = "The tag."), PageQuery),
    responses((status = 200, body = TagMemberList)),
)]
pub async fn members(
    State(state): State<AppState>,
    Path(tag): Path<Uuid>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let path = format!("/v1/tags/{tag}/members");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (database, seek, rows) = (&state.database, request.seek(), request.rows());
        let found = sql::account_lists::tag_members(database, viewer, tag, seek, rows).await?;
        let list = found.ok_or(NOT_FOUND)?;
        let tags = [Tag::audience_tags(viewer)];
        account_page(
            &request,
            list,
            tags,
            |key| key,
            |listed| TagMember {
                account: listed.account,
                added_at: listed.at,
            },
        )
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// List the caller's tags that have an account
///
/// In the order in which they were made. The account is not told of them.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/tags",
    operation_id = "listTagsOfUser",
    tag = "Tags",
    params(UserPath, PageQuery),
    responses((status = 200, body = TagPage)),
)]
pub async fn of_user(
    State(state): State<AppState>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let (viewer, user) = (context.viewer, parse(&user)?);
    let path = format!("/v1/users/{user}/tags");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (user, seek) = continued(&user, request.seek());
        let (database, rows) = (&state.database, request.rows());
        let found = sql::audience_tags::of_user(database, viewer, &user, seek, rows).await?;
        let (id, found) = or_newcomer(&context, &user, found, |id| (id, Vec::new()))?;
        let mut tags = vec![Tag::audience_tags(viewer), Tag::access(viewer)];
        tags.extend(resolved(&user, id));
        let key = |tag: &AudienceTag| OfAccount {
            account: id,
            key: tag.id,
        };
        let (page, link) = request.page(found, key);
        Answer::page(&page, link, tags)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}
