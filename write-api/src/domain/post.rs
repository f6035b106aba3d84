//! Posts, replies and likes.

use chrono::{DateTime, Utc};
use feedmill_events::{
    Event,
    event::v1::{Parent, PostCreated, PostDeleted, PostLiked, PostUnliked},
};
use uuid::Uuid;

use super::{Account, Decision, Outcome, Post, Rejection, State, Thing, account};

fn find(state: &State, post: Uuid) -> Result<Post, Rejection> {
    state.posts.get(&post).copied().ok_or(Rejection::NotFound {
        thing: Thing::Post,
        field: None,
    })
}

pub(super) fn create(
    state: &State,
    (author, me): (Uuid, &Account),
    id: Uuid,
    at: DateTime<Utc>,
    text: &str,
    reply_to: Option<Uuid>,
) -> Result<Decision, Rejection> {
    let parent = match reply_to {
        None => None,
        Some(post) => match state.posts.get(&post) {
            Some(found) => Some(Parent {
                post,
                author: found.author,
            }),
            None => {
                return Err(Rejection::NotFound {
                    thing: Thing::Post,
                    field: Some("reply_to"),
                });
            }
        },
    };
    let event = PostCreated {
        post: id,
        author,
        reply_to: parent,
        text: text.to_owned(),
    };
    Ok(Decision {
        events: vec![Event::PostCreated(event)],
        outcome: Outcome::Post {
            id,
            author: account::card(author, me),
            text: text.to_owned(),
            reply_to,
            created_at: at,
        },
    })
}

pub(super) fn delete(state: &State, actor: Uuid, post: Uuid) -> Result<Decision, Rejection> {
    let Post { author, reply_to } = find(state, post)?;
    if author != actor {
        return Err(Rejection::NotYours);
    }
    Ok(Decision::done(Event::PostDeleted(PostDeleted {
        post,
        author,
        reply_to,
    })))
}

pub(super) fn like(state: &State, user: Uuid, post: Uuid) -> Result<Decision, Rejection> {
    let Post { author, .. } = find(state, post)?;
    if state.likes.contains_key(&(post, user)) {
        return Ok(Decision::nothing_to_do());
    }
    Ok(Decision::done(Event::PostLiked(PostLiked {
        post,
        author,
        user,
    })))
}

pub(super) fn unlike(state: &State, user: Uuid, post: Uuid) -> Result<Decision, Rejection> {
    let Post { author, .. } = find(state, post)?;
    match state.likes.get(&(post, user)) {
        None => Ok(Decision::nothing_to_do()),
        Some(&liked_at) => Ok(Decision::done(Event::PostUnliked(PostUnliked {
            post,
            author,
            user,
            liked_at,
        }))),
    }
}
