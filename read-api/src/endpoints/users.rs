//! `/v1/users/{id or @handle}…` and `/v1/me`.

use std::time::SystemTime;

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use uuid::Uuid;

use super::{Result, posts::shown};
use crate::{
    cache::{answer::Answer, answers::Key},
    error::Error,
    http::{
        page::{OfAccount, PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
    },
    newcomer::Newcomer,
    sql,
    state::AppState,
    user_ref::UserRef,
    views::Follow,
};

const NOT_FOUND: Error = Error::NotFound("user");

/// The viewer's own profile. One statement.
pub async fn me(
    State(state): State<AppState>,
    context: RequestContext,
) -> Result {
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
        let (user, before) = continued(&user, request.after());
        let rows = request.rows();
        let found = sql::posts::of_user(&state.database, viewer, &user, before, rows)
            .await?;
        let (id, posts) = or_newcomer(&context, &user, found)?;
        let mut tags = vec![Tag::posts_of(id)];
        tags.extend(resolved(&user, id));
        tags.extend(shown(&posts));
        let (page, next) = request.page(posts, |post| OfAccount {
            account: id,
            key: post.id,
        });
        Answer::page(&page, next, tags)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
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
        let (user, before) = continued(&user, request.after());
        let rows = request.rows();
        let found = sql::users::followers(&state.database, &user, before, rows)
            .await?;
        let (id, follows) = or_newcomer(&context, &user, found)?;
        let tags = follow_tags(Tag::followers(id), &user, id, &follows);
        let (page, next) = request.page(follows, |follow| OfAccount {
            account: id,
            key: (follow.followed_at, follow.account.id),
        });
        Answer::page(&page, next, tags)
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
        let (user, before) = continued(&user, request.after());
        let rows = request.rows();
        let found = sql::users::following(&state.database, &user, before, rows)
            .await?;
        let (id, follows) = or_newcomer(&context, &user, found)?;
        let tags = follow_tags(Tag::following(id), &user, id, &follows);
        let (page, next) = request.page(follows, |follow| OfAccount {
            account: id,
            key: (follow.followed_at, follow.account.id),
        });
        Answer::page(&page, next, tags)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}

fn parse(user: &str) -> std::result::Result<UserRef, Error> {
    user.parse().map_err(|_| NOT_FOUND)
}

/// The caller, if `user` is the caller and the account may not exist yet.
fn newcomer<'c>(context: &'c RequestContext, user: &UserRef) -> Option<&'c Newcomer> {
    let newcomer = context.newcomer.as_ref();
    newcomer.filter(|own| user.id() == Some(own.id))
}

/// What was found of `user`, or the empty list of a newcomer.
fn or_newcomer<T>(
    context: &RequestContext,
    user: &UserRef,
    found: Option<(Uuid, Vec<T>)>,
) -> std::result::Result<(Uuid, Vec<T>), Error> {
    let empty = || newcomer(context, user).map(|own| (own.id, Vec::new()));
    found.or_else(empty).ok_or(NOT_FOUND)
}

/// Whose list the page is of, and the key before it. A page with a cursor is of the cursor's account.
fn continued<K>(user: &UserRef, after: Option<OfAccount<K>>) -> (UserRef, Option<K>) {
    match after {
        Some(after) => (UserRef::Id(after.account), Some(after.key)),
        None => (user.clone(), None),
    }
}

/// That `user` refers to the account `id`. For a handle, until another account gets it or this one loses it.
fn resolved(user: &UserRef, id: Uuid) -> impl Iterator<Item = Tag> {
    let handle = user.handle().map(Tag::handle);
    handle.into_iter().chain([Tag::account_summary(id)])
}

/// The list, the account that it belongs to, and the listed accounts' names.
fn follow_tags(list: Tag, user: &UserRef, id: Uuid, follows: &[Follow]) -> Vec<Tag> {
    let listed = follows
        .iter()
        .map(|follow| Tag::account_summary(follow.account.id));
    [list]
        .into_iter()
        .chain(resolved(user, id))
        .chain(listed)
        .collect()
}
