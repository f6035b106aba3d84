//! Posts and replies. [`decide`] has the decisions.

mod decide;
pub mod sql;
#[cfg(test)]
mod tests;
mod text_hash;

use std::collections::HashMap;

use feedmill_events::{
    Partition, PartitionSet,
    event::{
        v1::{Audience, Parent, PostDeleted, PostEdited},
        v2::PostCreated,
    },
    id,
};
use uuid::Uuid;

use super::{
    account::{Accounts, Actor},
    audience::{Access, Audiences, Visibility},
    block::Blocks,
    clock::{Moment, time},
    decision::{Decision, Outcome, Rejection, Resource},
    stored_outcome::StoredOutcome,
    table::Table,
    tag::AudienceTags,
    text::PostText,
};

pub use text_hash::TextHash;

#[derive(Debug, Clone)]
pub enum PostCommand {
    /// A root post, or a reply, which has no audience of its own. None of both is a root post with the author's default audience.
    Create {
        text: PostText,
        reply_to: Option<Uuid>,
        audience: Option<Audience>,
    },
    /// None changes nothing.
    Edit {
        post: Uuid,
        text: Option<PostText>,
    },
    /// Sets the audience of a thread, by the author of its root post.
    SetAudience {
        post: Uuid,
        audience: Audience,
    },
    Delete {
        post: Uuid,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Post {
    pub author: Uuid,
    pub reply_to: Option<Parent>,
    /// The root post of the thread, which may be deleted, and its author.
    pub root: Uuid,
    pub root_author: Uuid,
    /// None for a post from before `0011_post_texts`, until it is edited.
    pub text: Option<TextHash>,
}

/// Posts. A deleted post has no row.
#[derive(Debug, Default)]
pub struct Posts {
    rows: Table<Uuid, Post>,
    /// Posts that earlier commands of an import's batch will create.
    expected: HashMap<Uuid, Post>,
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

    /// Announces a post that a command of the batch will create, so that later commands can request what they need to act on it.
    /// Only an import knows the id before the decision.
    pub fn expect(&mut self, id: Uuid, author: Uuid, reply_to: Option<Uuid>) {
        let parent = reply_to.map(|parent| (parent, self.known(parent)));
        let (parent, root, root_author) = match parent {
            None => (None, id, author),
            Some((post, Some(known))) => {
                let author = known.author;
                (Some(Parent { post, author }), known.root, known.root_author)
            }
            // A reply to a post that does not exist will be rejected.
            Some((_, None)) => return,
        };
        let post = Post {
            author,
            reply_to: parent,
            root,
            root_author,
            text: None,
        };
        self.expected.insert(id, post);
    }

    /// A post that is loaded or expected.
    pub fn known(&self, id: Uuid) -> Option<&Post> {
        self.rows.get(&id).or_else(|| self.expected.get(&id))
    }

    /// The post that the path of a request names.
    pub fn find(&self, id: Uuid) -> Result<Post, Rejection> {
        let found = self.rows.get(&id).copied();
        found.ok_or(Rejection::not_found(Resource::Post))
    }

    /// The post that the path of a request names, if the actor is its author. A post that the actor does not see is rejected as if
    /// it did not exist.
    fn find_own(
        &self,
        id: Uuid,
        actor: Uuid,
        visibility: Visibility<'_>,
    ) -> Result<Post, Rejection> {
        let found = self.find(id)?;
        if found.author == actor {
            return Ok(found);
        }
        match visibility.access(actor, &found) {
            Access::Visible => Err(Rejection::NotYours),
            Access::Blocked | Access::Hidden => Err(Rejection::not_found(Resource::Post)),
        }
    }

    pub fn created(&mut self, event: &PostCreated) {
        let parent = event
            .reply_to
            .and_then(|parent| self.rows.get(&parent.post));
        let thread = parent.map(|parent| (parent.root, parent.root_author));
        let (root, root_author) = thread.unwrap_or((event.post, event.author));
        let post = Post {
            author: event.author,
            reply_to: event.reply_to,
            root,
            root_author,
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
            Self::Edit { post, .. } | Self::SetAudience { post, .. } | Self::Delete { post } => {
                Partition::of(*post)
            }
        }
    }

    /// A reply also locks its author's partition, as does a block that concerns the author.
    pub fn partitions(&self, actor: Uuid) -> PartitionSet {
        let mut partitions = PartitionSet::from(self.partition(actor));
        if let Self::Create { .. } = self {
            partitions.insert(Partition::of(actor));
        }
        partitions
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create_post",
            Self::Edit { .. } => "edit_post",
            Self::SetAudience { .. } => "set_audience",
            Self::Delete { .. } => "delete_post",
        }
    }

    pub fn request(
        &self,
        actor: Uuid,
        posts: &mut Posts,
        audiences: &mut Audiences,
        blocks: &mut Blocks,
        tags: &mut AudienceTags,
    ) {
        let (post, audience) = match self {
            Self::Create {
                reply_to, audience, ..
            } => (*reply_to, audience.as_ref()),
            Self::SetAudience { post, audience } => {
                audiences.will_change(*post);
                (Some(*post), Some(audience))
            }
            Self::Edit { post, .. } | Self::Delete { post } => (Some(*post), None),
        };
        if let Some(post) = post {
            audiences.request(actor, post, posts, blocks);
        }
        if let Some(Audience::Tags(ids)) = audience {
            tags.request(ids);
        }
    }

    pub fn decide(
        &self,
        posts: &Posts,
        visibility: Visibility<'_>,
        actor: Actor<'_>,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        match self {
            Self::Create {
                text,
                reply_to: None,
                audience,
            } => {
                let audience = audience.as_ref();
                let audience = audience.unwrap_or(&actor.account.settings.default_audience);
                decide::publish(visibility, actor, moment, text, audience)
            }
            Self::Create {
                text,
                reply_to: Some(parent),
                ..
            } => decide::reply(posts, visibility, actor, moment, text, *parent),
            Self::Edit { post, text } => {
                let found = posts.find_own(*post, actor.id, visibility)?;
                Ok(decide::edit(*post, found, text.as_ref()))
            }
            Self::SetAudience { post, audience } => {
                let found = posts.find_own(*post, actor.id, visibility)?;
                decide::set_audience(*post, found, visibility, audience)
            }
            Self::Delete { post } => {
                let found = posts.find_own(*post, actor.id, visibility)?;
                Ok(decide::delete(*post, found))
            }
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
            (Self::Create { text, reply_to, .. }, StoredOutcome::Post { id, audience }) => {
                Some(Outcome::Post {
                    id,
                    author: accounts.get(actor)?.summary(actor),
                    text: text.as_str().to_owned(),
                    reply_to: *reply_to,
                    created_at: time(id::millis(id)),
                    audience,
                })
            }
            (Self::Edit { .. } | Self::SetAudience { .. } | Self::Delete { .. }, stored) => {
                stored.done()
            }
            _ => None,
        }
    }
}
