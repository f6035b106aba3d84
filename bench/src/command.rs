//! The commands of the write rows, for write-api and for bare sqlx.

use feedmill_events::{
    Event, Partition,
    event::{
        v1::{AccountFollowed, Audience, MessageSent, PostLiked, PostUnliked},
        v2::PostCreated,
    },
    id,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::load::{self, Request};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Command {
    Post {
        author: Uuid,
        text: String,
    },
    Like {
        user: Uuid,
        post: Uuid,
        author: Uuid,
    },
    Unlike {
        user: Uuid,
        post: Uuid,
        author: Uuid,
    },
    Follow {
        follower: Uuid,
        followee: Uuid,
    },
    Message {
        sender: Uuid,
        conversation: Uuid,
        text: String,
    },
}

impl Command {
    /// The account that sends the command.
    pub fn actor(&self) -> Uuid {
        match self {
            Self::Post { author: actor, .. }
            | Self::Like { user: actor, .. }
            | Self::Unlike { user: actor, .. }
            | Self::Follow {
                follower: actor, ..
            }
            | Self::Message { sender: actor, .. } => *actor,
        }
    }

    /// The partition of the command's event.
    pub fn partition(&self) -> Partition {
        Partition::of(match self {
            Self::Post { author: of, .. }
            | Self::Like { post: of, .. }
            | Self::Unlike { post: of, .. }
            | Self::Follow { followee: of, .. }
            | Self::Message {
                conversation: of, ..
            } => *of,
        })
    }

    /// The HTTP request of the command. `headers` are the actor's header lines.
    pub fn request(&self, target: usize, headers: &str) -> Request {
        match self {
            Self::Post { text, .. } => {
                let body = json!({"text": text}).to_string();
                load::post(target, "/v1/posts", headers, &body)
            }
            Self::Like { post, .. } => {
                load::put_or_delete(target, true, &format!("/v1/posts/{post}/like"), headers)
            }
            Self::Unlike { post, .. } => {
                load::put_or_delete(target, false, &format!("/v1/posts/{post}/like"), headers)
            }
            Self::Follow { followee, .. } => load::put_or_delete(
                target,
                true,
                &format!("/v1/users/{followee}/follow"),
                headers,
            ),
            Self::Message {
                conversation, text, ..
            } => {
                let path = format!("/v1/conversations/{conversation}/messages");
                load::post(target, &path, headers, &json!({"text": text}).to_string())
            }
        }
    }

    /// An id for the object that the command creates.
    pub fn new_id(&self, millis: i64) -> Uuid {
        let (counter, random) = (rand::random(), rand::random());
        id::compose(millis, counter, random, Some(self.partition()))
    }

    /// The event that write-api appends for the command. `new_id` is the id of the created object, `since` the time of
    /// the like that ends, in Unix milliseconds.
    pub fn event(&self, new_id: Uuid, since: i64) -> Event {
        match self.clone() {
            Self::Post { author, text } => Event::PostCreated(PostCreated {
                post: new_id,
                author,
                reply_to: None,
                text,
                root_author: Some(author),
                audience: Some(Audience::Public),
            }),
            Self::Like { user, post, author } => Event::PostLiked(PostLiked { post, author, user }),
            Self::Unlike { user, post, author } => Event::PostUnliked(PostUnliked {
                post,
                author,
                user,
                liked_at: since,
            }),
            Self::Follow { follower, followee } => {
                Event::AccountFollowed(AccountFollowed { follower, followee })
            }
            Self::Message {
                sender,
                conversation,
                text,
            } => Event::MessageSent(MessageSent {
                conversation,
                message: new_id,
                sender,
                text,
            }),
        }
    }
}
