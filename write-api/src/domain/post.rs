//! Posts and replies.

pub mod sql;
#[cfg(test)]
mod tests;

use feedmill_events::{
    Event, Partition,
    event::v1::{Parent, PostCreated, PostDeleted, PostEdited},
    id,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    account::{Accounts, Actor},
    clock::{Moment, time},
    decision::{Decision, Outcome, Rejection, Resource},
    stored_outcome::StoredOutcome,
    table::Table,
    text::PostText,
};

#[derive(Debug, Clone)]
pub enum PostCommand {
    Create {
        text: PostText,
        reply_to: Option<Uuid>,
    },
    /// None changes nothing.
    Edit {
        post: Uuid,
        text: Option<PostText>,
    },
    Delete {
        post: Uuid,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Post {
    pub author: Uuid,
    pub reply_to: Option<Parent>,
    /// None for a post from before `0011_post_texts`, until it is edited.
    pub text: Option<TextHash>,
}

/// The first half of the SHA-256 of a text. It tells whether an edit changes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextHash([u8; 16]);

impl TextHash {
    pub fn of(text: &str) -> Self {
        let hash: [u8; 32] = Sha256::digest(text).into();
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        Self(half)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for TextHash {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

/// Posts. A deleted post has no row.
#[derive(Debug, Default)]
pub struct Posts {
    rows: Table<Uuid, Post>,
}

impl Posts {
    pub fn request(&mut self, id: Uuid) {
        self.rows.request(id);
    }

    pub fn take_requested(&mut self) -> Vec<Uuid> {
        self.rows.take_requested()
    }

    pub fn load(&mut self, id: Uuid, post: Post) {
        self.rows.load(id, post);
    }

    /// The post that the path of a request names.
    pub fn find(&self, id: Uuid) -> Result<Post, Rejection> {
        let found = self.rows.get(&id).copied();
        found.ok_or(Rejection::not_found(Resource::Post))
    }

    /// The post that the path of a request names, if the actor is its author.
    fn find_own(&self, id: Uuid, actor: Uuid) -> Result<Post, Rejection> {
        let found = self.find(id)?;
        if found.author == actor {
            Ok(found)
        } else {
            Err(Rejection::NotYours)
        }
    }

    pub fn created(&mut self, event: &PostCreated) {
        let post = Post {
            author: event.author,
            reply_to: event.reply_to,
            text: Some(TextHash::of(&event.text)),
        };
        self.rows.insert(event.post, post);
    }

    pub fn edited(&mut self, event: &PostEdited) {
        if let Some(post) = self.rows.get(&event.post).copied() {
            let text = Some(TextHash::of(&event.text));
            self.rows.insert(event.post, Post { text, ..post });
        }
    }

    pub fn deleted(&mut self, event: &PostDeleted) {
        self.rows.remove(&event.post);
    }
}

impl PostCommand {
    /// A root post belongs to its author's partition, a reply to that of its thread.
    pub fn partition(&self, actor: Uuid) -> Partition {
        match self {
            Self::Create { reply_to, .. } => Partition::of(reply_to.unwrap_or(actor)),
            Self::Edit { post, .. } | Self::Delete { post } => Partition::of(*post),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create_post",
            Self::Edit { .. } => "edit_post",
            Self::Delete { .. } => "delete_post",
        }
    }

    pub fn request(&self, posts: &mut Posts) {
        match self {
            Self::Create { reply_to, .. } => reply_to.iter().for_each(|post| posts.request(*post)),
            Self::Edit { post, .. } | Self::Delete { post } => posts.request(*post),
        }
    }

    pub fn decide(
        &self,
        posts: &Posts,
        actor: Actor<'_>,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        match self {
            Self::Create { text, reply_to } => {
                let id = moment.id(self.partition(actor.id));
                create(posts, actor, id, moment, text.as_str(), *reply_to)
            }
            Self::Edit { post, text } => edit(posts, actor.id, *post, text.as_ref()),
            Self::Delete { post } => delete(posts, actor.id, *post),
        }
    }

    /// See [`Command::restore`](super::Command::restore).
    pub fn restore(
        &self,
        stored: StoredOutcome,
        accounts: &Accounts,
        actor: Uuid,
    ) -> Option<Outcome> {
        match (self, stored) {
            (Self::Create { text, reply_to }, StoredOutcome::Post { id }) => Some(Outcome::Post {
                id,
                author: accounts.get(actor)?.summary(actor),
                text: text.as_str().to_owned(),
                reply_to: *reply_to,
                created_at: time(id::millis(id)),
            }),
            (Self::Edit { .. } | Self::Delete { .. }, stored) => stored.done(),
            _ => None,
        }
    }
}

fn create(
    posts: &Posts,
    author: Actor<'_>,
    id: Uuid,
    moment: Moment,
    text: &str,
    reply_to: Option<Uuid>,
) -> Result<Decision, Rejection> {
    let parent = match reply_to {
        None => None,
        Some(post) => {
            let found = posts.rows.get(&post);
            let found = found.ok_or(Rejection::field_not_found(Resource::Post, "reply_to"))?;
            let author = found.author;
            Some(Parent { post, author })
        }
    };
    let event = PostCreated {
        post: id,
        author: author.id,
        reply_to: parent,
        text: text.to_owned(),
    };
    let outcome = Outcome::Post {
        id,
        author: author.account.summary(author.id),
        text: text.to_owned(),
        reply_to,
        created_at: moment.at(),
    };
    Ok(Decision::new(Event::PostCreated(event), outcome))
}

fn edit(
    posts: &Posts,
    actor: Uuid,
    post: Uuid,
    text: Option<&PostText>,
) -> Result<Decision, Rejection> {
    let present = posts.find_own(post, actor)?.text;
    let changed = text.filter(|text| present != Some(TextHash::of(text.as_str())));
    let Some(text) = changed else {
        return Ok(Decision::unchanged(Outcome::Done));
    };
    let event = PostEdited {
        post,
        author: actor,
        text: text.as_str().to_owned(),
    };
    Ok(Decision::done(Event::PostEdited(event)))
}

fn delete(posts: &Posts, actor: Uuid, post: Uuid) -> Result<Decision, Rejection> {
    let Post {
        author, reply_to, ..
    } = posts.find_own(post, actor)?;
    let event = PostDeleted {
        post,
        author,
        reply_to,
    };
    Ok(Decision::done(Event::PostDeleted(event)))
}
