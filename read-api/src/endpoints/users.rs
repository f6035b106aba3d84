//! `/v1/users/{id or @handle}…` and `/v1/me`.

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
    // The same for all viewers.
    let key = Key::new(None, format!("/v1/users/{user}"));
    let load = || async {
        let profile = sql::users::profile(&state.database, user)
            .await?
            .ok_or(NOT_FOUND)?;
        let id = profile.account.id;
        let tags = [Tag::profile(id)].into_iter().chain(resolved(user, id));
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
        let (id, posts) = sql::posts::of_user(&state.database, viewer, &user, before, rows)
            .await?
            .ok_or(NOT_FOUND)?;
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
        let (id, follows) = sql::users::followers(&state.database, &user, before, rows)
            .await?
            .ok_or(NOT_FOUND)?;
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
        let (id, follows) = sql::users::following(&state.database, &user, before, rows)
            .await?
            .ok_or(NOT_FOUND)?;
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
