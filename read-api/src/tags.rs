//! What every answer depends on: all of it, or a change would go unnoticed. [`Tag`] says what each one covers.

use std::iter::once;

use chrono::NaiveDate;
use feedmill_events::Tag;
use uuid::Uuid;

use crate::{
    posts::Written,
    query::conversation::Listed,
    user_ref::UserRef,
    view::{Follow, Notification, Post},
};

/// Whose posts it is made of, what these have, and the posts that it shows. `followed` are the tags of the posts of
/// everybody whom the viewer follows.
pub fn feed(viewer: Uuid, followed: &[Tag], posts: &[Written]) -> Vec<Tag> {
    [Tag::feed(viewer), Tag::posts_of(viewer)]
        .into_iter()
        .chain(followed.iter().copied())
        .chain(written(posts))
        .collect()
}

/// Its counters, the posts that are chosen from, by whom, and those that it shows.
pub fn digest(viewer: Uuid, from: NaiveDate, to: NaiveDate, top_posts: &[Written]) -> Vec<Tag> {
    let days = from.iter_days().take_while(|day| *day < to);
    [Tag::digest(viewer), Tag::feed(viewer)]
        .into_iter()
        .chain(days.map(Tag::posts_of_day))
        .chain(written(top_posts))
        .collect()
}

pub fn conversations(viewer: Uuid, listed: &[Listed]) -> Vec<Tag> {
    let members = listed
        .iter()
        .flat_map(|listed| &listed.conversation.members);
    once(Tag::conversations(viewer))
        .chain(members.map(|member| Tag::account_summary(member.id)))
        .collect()
}

/// Whoever is a member stays one.
pub fn messages(conversation: Uuid) -> Vec<Tag> {
    vec![Tag::messages(conversation)]
}

pub fn notifications(viewer: Uuid, listed: &[Notification]) -> Vec<Tag> {
    let posts = listed.iter().filter_map(|item| item.post.as_ref());
    once(Tag::notifications(viewer))
        .chain(
            listed
                .iter()
                .map(|item| Tag::account_summary(item.actor.id)),
        )
        .chain(posts.map(|post| Tag::post(post.id)))
        .collect()
}

pub fn post(post: &Post) -> Vec<Tag> {
    shown(std::slice::from_ref(post)).collect()
}

pub fn replies(post: Uuid, replies: &[Post]) -> Vec<Tag> {
    once(Tag::post(post)).chain(shown(replies)).collect()
}

pub fn profile(asked: &UserRef, user: Uuid) -> Vec<Tag> {
    person(asked, user)
        .chain(once(Tag::profile(user)))
        .collect()
}

pub fn posts_of(asked: &UserRef, user: Uuid, posts: &[Post]) -> Vec<Tag> {
    person(asked, user)
        .chain(once(Tag::posts_of(user)))
        .chain(shown(posts))
        .collect()
}

pub fn followers(asked: &UserRef, user: Uuid, followers: &[Follow]) -> Vec<Tag> {
    follows(asked, user, Tag::followers(user), followers)
}

pub fn following(asked: &UserRef, user: Uuid, following: &[Follow]) -> Vec<Tag> {
    follows(asked, user, Tag::following(user), following)
}

fn follows(asked: &UserRef, user: Uuid, list: Tag, follows: &[Follow]) -> Vec<Tag> {
    person(asked, user)
        .chain(once(list))
        .chain(
            follows
                .iter()
                .map(|follow| Tag::account_summary(follow.card.id)),
        )
        .collect()
}

/// That this is the person: by handle, until somebody else gets the handle or this one loses it.
fn person(asked: &UserRef, user: Uuid) -> impl Iterator<Item = Tag> {
    let handle = asked.handle().map(Tag::handle);
    handle.into_iter().chain(once(Tag::account_summary(user)))
}

fn written(posts: &[Written]) -> impl Iterator<Item = Tag> {
    posts
        .iter()
        .flat_map(|post| [Tag::post(post.id()), Tag::account_summary(post.author())])
}

fn shown(posts: &[Post]) -> impl Iterator<Item = Tag> {
    posts
        .iter()
        .flat_map(|post| [Tag::post(post.id), Tag::account_summary(post.author.id)])
}
