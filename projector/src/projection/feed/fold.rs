//! A batch's net changes to posts and links.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use feedmill_events::Event;
use uuid::Uuid;

use super::{
    audience_tags::AudienceTagChanges,
    links::FeedLinks,
    sources::{self, SourceChanges},
};
use crate::{batch::Batch, error::ApplyError, projection::event_time::created_at};

#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// Posts that the batch creates and does not delete.
    pub created: BTreeMap<Uuid, NewPost<'a>>,
    /// Posts from before the batch that it deletes.
    pub deleted: BTreeMap<Uuid, DeletedPost>,
    /// Without links to posts that the batch deletes.
    pub links: FeedLinks,
    pub sources: SourceChanges,
    pub audience_tags: AudienceTagChanges,
    /// Changes of the counts of posts that exist before and after the batch.
    pub counts: BTreeMap<Uuid, Counts>,
    /// By author: the change of the number of followers and connections.
    pub followers: BTreeMap<Uuid, i64>,
}

/// By author: the change of the number of pulled posts. Only the tables know which posts are pulled.
pub type PulledPosts = BTreeMap<Uuid, i64>;

#[derive(Debug)]
pub struct NewPost<'a> {
    pub author: Uuid,
    pub reply_to: Option<Uuid>,
    pub text: &'a str,
    pub created_at: DateTime<Utc>,
    pub counts: Counts,
    /// The change of the author's number of followers and connections between the start of the batch and this post. They are
    /// in the partition of the author's posts, so the number at the post's place in the log does not depend
    /// on how the log is cut into batches.
    pub new_followers: i64,
}

#[derive(Debug)]
pub struct DeletedPost {
    pub author: Uuid,
    pub reply_to: Option<Uuid>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub likes: i64,
    pub replies: i64,
}

impl<'a> Changes<'a> {
    pub fn of(batch: &'a Batch) -> Result<Self, ApplyError> {
        let mut changes = Self::default();
        // Posts that the batch creates and deletes: as if they had never existed.
        let mut transient = HashSet::new();
        for logged in &batch.events {
            changes.links.fold(logged);
            changes.sources.fold(&logged.event);
            changes.audience_tags.fold(logged);
            if let Some((author, _, change)) = sources::link(&logged.event) {
                *changes.followers.entry(author).or_default() += i64::from(change);
            }
            match &logged.event {
                Event::PostCreated(e) => {
                    let reply_to = e.reply_to.map(|parent| parent.post);
                    if let Some(parent) = reply_to {
                        changes.counts.entry(parent).or_default().replies += 1;
                    }
                    let post = NewPost {
                        author: e.author,
                        reply_to,
                        text: &e.text,
                        created_at: created_at(e.post)?,
                        counts: Counts::default(),
                        new_followers: changes.followers.get(&e.author).copied().unwrap_or(0),
                    };
                    changes.created.insert(e.post, post);
                }
                Event::PostDeleted(e) => {
                    if let Some(parent) = e.reply_to {
                        changes.counts.entry(parent.post).or_default().replies -= 1;
                    }
                    if changes.created.remove(&e.post).is_some() {
                        transient.insert(e.post);
                    } else {
                        let post = DeletedPost {
                            author: e.author,
                            reply_to: e.reply_to.map(|parent| parent.post),
                        };
                        changes.deleted.insert(e.post, post);
                    }
                }
                _ => {}
            }
        }
        changes.audience_tags.forget_members_of_deleted();
        changes.followers.retain(|_, added| *added != 0);
        let is_deleted =
            |post: &Uuid| transient.contains(post) || changes.deleted.contains_key(post);
        changes.links.forget_posts(is_deleted);
        for (post, _) in changes.links.likes.started() {
            changes.counts.entry(post).or_default().likes += 1;
        }
        for (post, _) in changes.links.likes.stopped() {
            changes.counts.entry(post).or_default().likes -= 1;
        }
        changes
            .counts
            .retain(|post, counts| *counts != Counts::default() && !is_deleted(post));
        // A new post is inserted with its counts.
        for (id, post) in &mut changes.created {
            post.counts = changes.counts.remove(id).unwrap_or_default();
        }
        Ok(changes)
    }

    pub fn deleted_ids(&self) -> Vec<Uuid> {
        self.deleted.keys().copied().collect()
    }
}
