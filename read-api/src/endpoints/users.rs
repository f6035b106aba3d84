//! `/v1/users/{id or @handle}…` and `/v1/me`.

use std::time::SystemTime;

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Result, account_lists::account_page, posts::shown};
use crate::{
    cache::{
        answer::{Answer, LoadedAnswer},
        answers::Key,
    },
    error::Error,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
        sort_key::OfAccount,
    },
    newcomer::Newcomer,
    seek::{Seek, TimeKey},
    sql::{self, account_lists::AccountList},
    state::AppState,
    user_ref::UserRef,
    views::{Follow, FollowList, OwnProfile, Post, PostPage, Profile, Settings},
};

const NOT_FOUND: Error = Error::NotFound("user");

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "for the API description; handlers parse the path themselves"
)]
pub(super) struct UserPath {
    /// An account: its id, or `@` and its handle.
    #[param(example = "@miller")]
    user: String,
}

/// Get the caller's profile and settings
///
/// An account of an identity provider reads as one that has done nothing until its first command.
#[utoipa::path(
    get,
    path = "/v1/me",
    operation_id = "getMe",
    tag = "Accounts",
    responses((status = 200, body = OwnProfile)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn me(State(state): State<AppState>, context: RequestContext) -> Result {
    let viewer = context.viewer;
    let user = UserRef::Id(viewer);
    let load = || async {
        let (own, mut tags) = load_profile(&state, &context, &user).await?;
        tags.push(Tag::own_settings(viewer));
        Ok(Answer::new(&own)?.depending_on(tags))
    };
    let key = Key::new(viewer, "/v1/me".to_owned());
    respond(&state.caches.answers, &context, key, load).await
}

/// Get a profile
///
/// Of an account that the caller blocks, it is empty but for the names.
#[utoipa::path(
    get,
    path = "/v1/users/{user}",
    operation_id = "getUser",
    tag = "Accounts",
    params(UserPath),
    responses((status = 200, body = Profile)),
)]
pub async fn profile(
    State(state): State<AppState>,
    Path(user): Path<String>,
    context: RequestContext,
) -> Result {
    let user = parse(&user)?;
    let load = || async {
        let (found, tags) = load_profile(&state, &context, &user).await?;
        Ok(Answer::new(&found.profile)?.depending_on(tags))
    };
    let key = Key::new(context.viewer, format!("/v1/users/{user}"));
    respond(&state.caches.answers, &context, key, load).await
}

/// The profile of an account, and the tags that it depends on.
async fn load_profile(
    state: &AppState,
    context: &RequestContext,
    user: &UserRef,
) -> std::result::Result<(OwnProfile, Vec<Tag>), Error> {
    let newcomer = newcomer(context, user);
    let hint = newcomer.and_then(Newcomer::handle_hint);
    let handle = user.handle().or(hint.as_ref().and_then(UserRef::handle));
    let found = sql::users::profile(&state.database, context.viewer, user.id(), handle).await?;
    let mut tags = Vec::new();
    let found = match (found, newcomer) {
        (Some(found), None) => found,
        (Some(found), Some(own)) if found.profile.account.id == own.id => found,
        (owner, Some(own)) => {
            let owner = owner.map(|found| found.profile.account.id);
            if let Some(hint) = &hint {
                tags.extend(resolved(hint, owner.unwrap_or(own.id)));
            }
            OwnProfile {
                profile: own.profile(owner.is_some(), SystemTime::now().into()),
                settings: Settings::default(),
            }
        }
        (None, None) => return Err(NOT_FOUND),
    };
    let id = found.profile.account.id;
    // The number of posts changes with the list of posts.
    tags.extend([Tag::profile(id), Tag::posts_of(id)]);
    tags.extend([Tag::access(context.viewer), Tag::blocks(context.viewer)]);
    tags.extend(resolved(user, id));
    Ok((found, tags))
}

/// List the posts of an account
///
/// Its replies, too, newest first.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/posts",
    operation_id = "listPostsOfUser",
    tag = "Posts",
    params(UserPath, PageQuery),
    responses((status = 200, body = PostPage)),
)]
pub async fn posts(
    State(state): State<AppState>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let (viewer, user) = (context.viewer, parse(&user)?);
    let path = format!("/v1/users/{user}/posts");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (user, seek) = continued(&user, request.seek());
        let found = sql::posts::of_user(&state.database, viewer, &user, seek, request.rows());
        let nothing = |id| (id, Vec::new());
        let (id, posts) = or_newcomer(&context, &user, found.await?, nothing)?;
        let mut tags = vec![Tag::posts_of(id)];
        tags.extend(resolved(&user, id));
        tags.extend(shown(viewer, &posts));
        let key = |post: &Post| OfAccount {
            account: id,
            key: post.id,
        };
        let (page, link) = request.page(posts, key);
        Answer::page(&page, link, tags)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// List the followers of an account
///
/// Latest first.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/followers",
    operation_id = "listFollowers",
    tag = "Accounts",
    params(UserPath, PageQuery),
    responses((status = 200, body = FollowList)),
)]
pub async fn followers(
    State(state): State<AppState>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let user = parse(&user)?;
    let path = format!("/v1/users/{user}/followers");
    let request = PageRequest::new(&state.cursors, path, context.viewer, &page)?;
    let load = || async {
        let (user, seek) = continued(&user, request.seek());
        let found = sql::account_lists::followers(
            &state.database,
            context.viewer,
            &user,
            seek,
            request.rows(),
        );
        let list = or_newcomer(&context, &user, found.await?, AccountList::empty)?;
        follow_page(&request, &user, Tag::followers(list.owner), list)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// List the accounts that an account follows
///
/// Latest first.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/following",
    operation_id = "listFollowing",
    tag = "Accounts",
    params(UserPath, PageQuery),
    responses((status = 200, body = FollowList)),
)]
pub async fn following(
    State(state): State<AppState>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let user = parse(&user)?;
    let path = format!("/v1/users/{user}/following");
    let request = PageRequest::new(&state.cursors, path, context.viewer, &page)?;
    let load = || async {
        let (user, seek) = continued(&user, request.seek());
        let found = sql::account_lists::following(
            &state.database,
            context.viewer,
            &user,
            seek,
            request.rows(),
        );
        let list = or_newcomer(&context, &user, found.await?, AccountList::empty)?;
        follow_page(&request, &user, Tag::following(list.owner), list)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// The answer with followers or followed accounts.
fn follow_page(
    request: &PageRequest<'_, OfAccount<TimeKey>>,
    user: &UserRef,
    list_tag: Tag,
    list: AccountList,
) -> std::result::Result<LoadedAnswer, Error> {
    let account = list.owner;
    let access = Tag::access(request.viewer());
    let tags = [list_tag, access]
        .into_iter()
        .chain(resolved(user, account));
    account_page(
        request,
        list,
        tags,
        |key| OfAccount { account, key },
        |listed| Follow {
            account: listed.account,
            followed_at: listed.at,
        },
    )
}

pub(super) fn parse(user: &str) -> std::result::Result<UserRef, Error> {
    user.parse().map_err(|_| NOT_FOUND)
}

/// The caller, if `user` is the caller and the account may not exist yet.
fn newcomer<'c>(context: &'c RequestContext, user: &UserRef) -> Option<&'c Newcomer> {
    let newcomer = context.newcomer.as_ref();
    newcomer.filter(|own| user.id() == Some(own.id))
}

/// What was found of `user`, or `nothing` of a newcomer.
pub(super) fn or_newcomer<T>(
    context: &RequestContext,
    user: &UserRef,
    found: Option<T>,
    nothing: impl FnOnce(Uuid) -> T,
) -> std::result::Result<T, Error> {
    let of_newcomer = || newcomer(context, user).map(|own| nothing(own.id));
    found.or_else(of_newcomer).ok_or(NOT_FOUND)
}

/// Whose list the page is of, and where in it. A page with a cursor is of the cursor's account.
pub(super) fn continued<K: Copy>(user: &UserRef, seek: Seek<OfAccount<K>>) -> (UserRef, Seek<K>) {
    let user = match seek.key() {
        Some(key) => UserRef::Id(key.account),
        None => user.clone(),
    };
    (user, seek.map(|of| of.key))
}

/// That `user` refers to the account `id`. For a handle, until another account gets it or this one loses it.
pub(super) fn resolved(user: &UserRef, id: Uuid) -> impl Iterator<Item = Tag> {
    let handle = user.handle().map(Tag::handle);
    handle.into_iter().chain([Tag::account_summary(id)])
}
