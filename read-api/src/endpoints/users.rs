//! `/v1/users/{id or @handle}…` and `/v1/me`.

use std::time::SystemTime;

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use serde::Serialize;
use uuid::Uuid;

use super::{Result, posts::shown};
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
    sql::{self, users::FollowList},
    state::AppState,
    user_ref::UserRef,
    views::{Follow, Page, Post},
};

const NOT_FOUND: Error = Error::NotFound("user");

/// The viewer's own profile. One statement.
pub async fn me(State(state): State<AppState>, context: RequestContext) -> Result {
    respond_with_profile(&state, &context, &UserRef::Id(context.viewer)).await
}

/// One statement.
pub async fn profile(
    State(state): State<AppState>,
    Path(user): Path<String>,
    context: RequestContext,
) -> Result {
    respond_with_profile(&state, &context, &parse(&user)?).await
}

async fn respond_with_profile(
    state: &AppState,
    context: &RequestContext,
    user: &UserRef,
) -> Result {
    let newcomer = newcomer(context, user);
    // The same for all viewers, unless the account exists for its owner only.
    let key = Key::new(newcomer.map(|own| own.id), format!("/v1/users/{user}"));
    let load = || async {
        let hint = newcomer.and_then(Newcomer::handle_hint);
        let handle = user.handle().or(hint.as_ref().and_then(UserRef::handle));
        let found = sql::users::profile(&state.database, user.id(), handle).await?;
        let mut tags = Vec::new();
        let profile = match (found, newcomer) {
            (Some(profile), None) => profile,
            (Some(profile), Some(own)) if profile.account.id == own.id => profile,
            (owner, Some(own)) => {
                let owner = owner.map(|profile| profile.account.id);
                if let Some(hint) = &hint {
                    tags.extend(resolved(hint, owner.unwrap_or(own.id)));
                }
                own.profile(owner.is_some(), SystemTime::now().into())
            }
            (None, None) => return Err(NOT_FOUND),
        };
        let id = profile.account.id;
        tags.push(Tag::profile(id));
        tags.extend(resolved(user, id));
        Ok(Answer::new(&profile)?.depending_on(tags))
    };
    respond(&state.answers, context, key, load).await
}

/// The user's posts with replies, newest first. One statement.
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
        tags.extend(shown(&posts));
        let key = |post: &Post| OfAccount {
            account: id,
            key: post.id,
        };
        let (page, link) = request.page(posts, key);
        Answer::page(&page, link, tags)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}

#[derive(Debug, Serialize)]
struct FollowPage {
    #[serde(flatten)]
    page: Page<Follow>,
    /// All of the list, also those on other pages.
    total: i64,
}

/// The user's followers, latest first. One statement.
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
        let found = sql::users::followers(&state.database, &user, seek, request.rows());
        let list = or_newcomer(&context, &user, found.await?, FollowList::empty)?;
        follow_page(&request, &user, Tag::followers(list.user), list)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}

/// The accounts that the user follows, latest first. One statement.
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
        let found = sql::users::following(&state.database, &user, seek, request.rows());
        let list = or_newcomer(&context, &user, found.await?, FollowList::empty)?;
        follow_page(&request, &user, Tag::following(list.user), list)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}

/// The answer depends on the list, on the account that it belongs to, and on the listed accounts' names.
fn follow_page(
    request: &PageRequest<'_, OfAccount<TimeKey>>,
    user: &UserRef,
    list_tag: Tag,
    list: FollowList,
) -> std::result::Result<LoadedAnswer, Error> {
    let listed = list.listed.iter();
    let mut tags = vec![list_tag];
    tags.extend(resolved(user, list.user));
    tags.extend(listed.map(|follow| Tag::account_summary(follow.account.id)));
    let key = |follow: &Follow| OfAccount {
        account: list.user,
        key: (follow.followed_at, follow.account.id),
    };
    let (page, link) = request.page(list.listed, key);
    let total = list.total;
    Answer::page(&FollowPage { page, total }, link, tags)
}

fn parse(user: &str) -> std::result::Result<UserRef, Error> {
    user.parse().map_err(|_| NOT_FOUND)
}

/// The caller, if `user` is the caller and the account may not exist yet.
fn newcomer<'c>(context: &'c RequestContext, user: &UserRef) -> Option<&'c Newcomer> {
    let newcomer = context.newcomer.as_ref();
    newcomer.filter(|own| user.id() == Some(own.id))
}

/// What was found of `user`, or `nothing` of a newcomer.
fn or_newcomer<T>(
    context: &RequestContext,
    user: &UserRef,
    found: Option<T>,
    nothing: impl FnOnce(Uuid) -> T,
) -> std::result::Result<T, Error> {
    let of_newcomer = || newcomer(context, user).map(|own| nothing(own.id));
    found.or_else(of_newcomer).ok_or(NOT_FOUND)
}

/// Whose list the page is of, and where in it. A page with a cursor is of the cursor's account.
fn continued<K: Copy>(user: &UserRef, seek: Seek<OfAccount<K>>) -> (UserRef, Seek<K>) {
    let user = match seek.key() {
        Some(key) => UserRef::Id(key.account),
        None => user.clone(),
    };
    (user, seek.map(|of| of.key))
}

/// That `user` refers to the account `id`. For a handle, until another account gets it or this one loses it.
fn resolved(user: &UserRef, id: Uuid) -> impl Iterator<Item = Tag> {
    let handle = user.handle().map(Tag::handle);
    handle.into_iter().chain([Tag::account_summary(id)])
}
