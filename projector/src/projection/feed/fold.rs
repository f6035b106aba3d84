//! A batch's net changes to posts, links and read marks.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use feedmill_events::Event;
use uuid::Uuid;

use super::{
    audience_tags::AudienceTagChanges,
    audiences::AudienceChanges,
    links::FeedLinks,
    sources::{self, SourceChanges},
};
use crate::{batch::Batch, error::ApplyError, projection::event_time::created_at};

#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// Posts that the batch creates and does not delete.
    pub created: BTreeMap<Uuid, NewPost<'a>>,
    /// Posts from before the batch that it edits and does not delete.
    pub edited: BTreeMap<Uuid, Edit<'a>>,
    /// Posts from before the batch that it deletes.
    pub deleted: BTreeMap<Uuid, DeletedPost>,
    /// Replies that the batch deletes, also those that it creates: what each replied to.
    pub deleted_replies: BTreeMap<Uuid, Uuid>,
    /// Without links to posts that the batch deletes.
    pub links: FeedLinks,
    pub sources: SourceChanges,
    pub audience_tags: AudienceTagChanges,
    pub audiences: AudienceChanges<'a>,
    /// Changes of the counts of posts that exist before and after the batch.
    pub counts: BTreeMap<Uuid, Counts>,
    /// By author: the change of the number of followers and connections.
    pub followers: BTreeMap<Uuid, i64>,
    /// By viewer: the greatest read mark of the batch.
    pub marks: BTreeMap<Uuid, Uuid>,
}

/// By author: the change of the number of pulled posts. Only the tables know which posts are pulled.
pub type PulledPosts = BTreeMap<Uuid, i64>;

#[derive(Debug)]
pub struct NewPost<'a> {
    pub author: Uuid,
    pub reply_to: Option<Uuid>,
    pub thread: Thread,
    pub text: &'a str,
    pub created_at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
    pub counts: Counts,
    /// The change of the author's number of followers and connections between the start of the batch and this post. They are
    /// in the partition of the author's posts, so the number at the post's place in the log does not depend
    /// on how the log is cut into batches.
    pub new_followers: i64,
}

/// The new text of a post.
#[derive(Debug)]
pub struct Edit<'a> {
    pub author: Uuid,
    pub text: &'a str,
    pub at: DateTime<Utc>,
}

/// The thread of a new post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thread {
    /// Its root post is in the batch.
    OfRoot { root: Uuid, author: Uuid },
    /// The thread of this post, which was there before the batch.
    OfPost(Uuid),
}

impl Thread {
    pub fn root(self) -> Option<Uuid> {
        match self {
            Self::OfRoot { root, .. } => Some(root),
            Self::OfPost(_) => None,
        }
    }

    pub fn root_author(self) -> Option<Uuid> {
        match self {
            Self::OfRoot { author, .. } => Some(author),
            Self::OfPost(_) => None,
        }
    }

    /// The post from before the batch whose row has the root.
    pub fn post(self) -> Option<Uuid> {
        match self {
            Self::OfRoot { .. } => None,
            Self::OfPost(post) => Some(post),
        }
    }
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
        // Of the posts that the batch creates, also of transient ones: others may reply to them before they are deleted.
        let mut threads: HashMap<Uuid, Thread> = HashMap::new();
        for logged in &batch.events {
            changes.links.fold(logged);
            changes.sources.fold(&logged.event);
            changes.audience_tags.fold(logged);
            changes.audiences.fold(&logged.event);
            if let Some((author, _, change)) = sources::link(&logged.event) {
                *changes.followers.entry(author).or_default() += i64::from(change);
            }
            match &logged.event {
                Event::PostCreated(e) => {
                    let reply_to = e.reply_to.map(|parent| parent.post);
                    if let Some(parent) = reply_to {
                        changes.counts.entry(parent).or_default().replies += 1;
                    }
                    let thread = match reply_to {
                        None => Thread::OfRoot {
                            root: e.post,
                            author: e.author,
                        },
                        Some(parent) => {
                            let in_batch = threads.get(&parent).copied();
                            in_batch.unwrap_or(Thread::OfPost(parent))
                        }
                    };
                    threads.insert(e.post, thread);
                    let post = NewPost {
                        author: e.author,
                        reply_to,
                        thread,
                        text: &e.text,
                        created_at: created_at(e.post)?,
                        edited_at: None,
                        counts: Counts::default(),
                        new_followers: changes.followers.get(&e.author).copied().unwrap_or(0),
                    };
                    changes.created.insert(e.post, post);
                }
                Event::PostEdited(e) => {
                    let (text, at) = (e.text.as_str(), logged.at);
                    if let Some(post) = changes.created.get_mut(&e.post) {
                        (post.text, post.edited_at) = (text, Some(at));
                    } else {
                        let author = e.author;
                        changes.edited.insert(e.post, Edit { author, text, at });
                    }
                }
                Event::PostDeleted(e) => {
                    if let Some(parent) = e.reply_to {
                        changes.counts.entry(parent.post).or_default().replies -= 1;
                        changes.deleted_replies.insert(e.post, parent.post);
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
                Event::FeedRead(e) => {
                    let mark = changes.marks.entry(e.user).or_default();
                    *mark = e.up_to.max(*mark);
                }
                _ => {}
            }
        }
        changes.audience_tags.forget_members_of_deleted();
        changes.followers.retain(|_, added| *added != 0);
        let is_deleted =
            |post: &Uuid| transient.contains(post) || changes.deleted.contains_key(post);
        changes.links.forget_posts(is_deleted);
        changes.edited.retain(|post, _| !is_deleted(post));
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
