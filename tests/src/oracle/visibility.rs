//! Who sees which post.

use std::collections::BTreeSet;

use feedmill_events::event::v1::Audience;
use uuid::Uuid;

use super::state::{Oracle, Post};

/// What a root post decides for its whole thread. It stays when the root post is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Of the root post.
    pub author: Uuid,
    pub audience: Audience,
}

/// The audience's name in requests and in the answers to its author, and its number in tables.
pub fn audience_code(audience: &Audience) -> (&'static str, i16) {
    match audience {
        Audience::Public => ("public", 0),
        Audience::Connections => ("connections", 1),
        Audience::Tags(_) => ("tags", 2),
        Audience::Me => ("me", 3),
    }
}

/// The tags of an audience; none if it is another one.
pub fn audience_tags(audience: &Audience) -> Option<&[Uuid]> {
    match audience {
        Audience::Tags(tags) => Some(tags),
        Audience::Public | Audience::Connections | Audience::Me => None,
    }
}

impl Oracle {
    /// Whether this post stands, and the viewer sees it. A viewer that is no account, such as the nil id, is a stranger.
    pub fn visible(&self, viewer: Uuid, post: Uuid) -> bool {
        let Some(found) = self.posts.get(&post) else {
            return false;
        };
        let is_author = found.author == viewer;
        let is_blocked = || self.blocks.between(found.author, viewer);
        is_author || !is_blocked() && self.sees_thread(viewer, self.thread_of(post))
    }

    /// Whether the viewer sees a post of this thread whose author has no block with them. What decides it is in the partition of
    /// the thread.
    pub fn sees_thread(&self, viewer: Uuid, thread: &Thread) -> bool {
        let author = thread.author;
        let is_blocked = || self.blocks.between(author, viewer);
        author == viewer || !is_blocked() && self.audience_includes(viewer, thread)
    }

    /// Whether the viewer is among those for whom the thread is, blocked or not.
    fn audience_includes(&self, viewer: Uuid, thread: &Thread) -> bool {
        match &thread.audience {
            Audience::Public => true,
            Audience::Connections => self.connections.are_connected(thread.author, viewer),
            Audience::Tags(tags) => {
                let mut tags = tags.iter();
                tags.any(|tag| self.tags.added_at(*tag, viewer).is_some())
            }
            Audience::Me => false,
        }
    }

    /// Whether the viewer would see this post if they did not block its author.
    pub fn hides_only_by_own_block(&self, viewer: Uuid, post: Uuid) -> bool {
        let Some(found) = self.posts.get(&post) else {
            return false;
        };
        let thread = self.thread_of(post);
        let without_block = if found.author == thread.author {
            self.audience_includes(viewer, thread)
        } else {
            self.sees_thread(viewer, thread)
        };
        self.blocks.blocks(viewer, found.author) && without_block
    }

    /// Whether this account may share posts with this audience: each of the tags is theirs.
    pub fn may_share_with(&self, author: Uuid, audience: &Audience) -> bool {
        let mut tags = audience_tags(audience).into_iter().flatten();
        tags.all(|tag| self.tags.is_owner(author, *tag))
    }

    /// Whether an event may have this audience: tags are in ascending order, at least one, and the author's.
    pub fn is_legal_audience(&self, author: Uuid, audience: &Audience) -> bool {
        let is_well_formed = audience_tags(audience).is_none_or(|tags| {
            let ascending = BTreeSet::from_iter(tags);
            !tags.is_empty() && ascending.into_iter().eq(tags)
        });
        is_well_formed && self.may_share_with(author, audience)
    }

    /// A standing or deleted post.
    pub fn any_post(&self, post: Uuid) -> Option<&Post> {
        self.posts.get(&post).or_else(|| self.deleted.get(&post))
    }

    /// What a post answers, then what that answers, up to the first post of its thread, deleted ones included.
    pub fn ancestors(&self, post: Uuid) -> Vec<Uuid> {
        let parent = |post: &Uuid| self.any_post(*post)?.reply_to;
        std::iter::successors(parent(&post), parent).collect()
    }

    /// The first post of the thread of this post.
    pub fn root(&self, post: Uuid) -> Uuid {
        self.ancestors(post).last().copied().unwrap_or(post)
    }

    /// The thread of a post that was created.
    pub fn thread_of(&self, post: Uuid) -> &Thread {
        &self.threads[&self.root(post)]
    }
}
