//! A batch's net changes to posts, likes and who follows whom.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use feedmill_events::Event;
use uuid::Uuid;

use crate::{
    batch::Batch,
    error::ApplyError,
    projection::{made_at, net::Net},
};

#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// Posts that the batch makes and leaves standing.
    pub created: BTreeMap<Uuid, NewPost<'a>>,
    /// Posts of before the batch that it deletes.
    pub deleted: BTreeMap<Uuid, OldPost>,
    /// By author and viewer.
    pub follows: Net<(Uuid, Uuid)>,
    /// By post and who likes it; of standing posts only.
    pub likes: Net<(Uuid, Uuid)>,
    /// What is added to the counts of posts that stand before and after the batch.
    pub counts: BTreeMap<Uuid, Counts>,
    /// By author: how many followers the batch adds.
    pub followers: BTreeMap<Uuid, i64>,
}

/// By author: how many pulled posts the batch makes, less those that it deletes. Only the tables know which posts are
/// pulled.
pub type Pulled = BTreeMap<Uuid, i64>;

#[derive(Debug)]
pub struct NewPost<'a> {
    pub author: Uuid,
    pub reply_to: Option<Uuid>,
    pub text: &'a str,
    pub created_at: DateTime<Utc>,
    pub counts: Counts,
    /// How many followers the batch gave its author before it. They are in the post's partition, so it does not
    /// depend on how the log is cut into batches how many there are at its place.
    pub new_followers: i64,
}

#[derive(Debug)]
pub struct OldPost {
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
        // Made and deleted within the batch: as if they had never been.
        let mut vanished = HashSet::new();
        for logged in &batch.events {
            match &logged.event {
                Event::AccountFollowed(e) => {
                    changes.follows.start((e.followee, e.follower), ());
                    *changes.followers.entry(e.followee).or_default() += 1;
                }
                Event::AccountUnfollowed(e) => {
                    changes.follows.stop((e.followee, e.follower));
                    *changes.followers.entry(e.followee).or_default() -= 1;
                }
                Event::PostCreated(e) => {
                    let reply_to = e.reply_to.map(|parent| parent.post);
                    if let Some(parent) = reply_to {
                        changes.counts.entry(parent).or_default().replies += 1;
                    }
                    let post = NewPost {
                        author: e.author,
                        reply_to,
                        text: &e.text,
                        created_at: made_at(e.post)?,
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
                        vanished.insert(e.post);
                    } else {
                        let post = OldPost {
                            author: e.author,
                            reply_to: e.reply_to.map(|parent| parent.post),
                        };
                        changes.deleted.insert(e.post, post);
                    }
                }
                Event::PostLiked(e) => changes.likes.start((e.post, e.user), ()),
                Event::PostUnliked(e) => changes.likes.stop((e.post, e.user)),
                _ => {}
            }
        }
        changes.followers.retain(|_, added| *added != 0);
        let gone = |post: &Uuid| vanished.contains(post) || changes.deleted.contains_key(post);
        changes.likes.retain(|(post, _)| !gone(&post));
        for (post, _) in changes.likes.started() {
            changes.counts.entry(post).or_default().likes += 1;
        }
        for (post, _) in changes.likes.stopped() {
            changes.counts.entry(post).or_default().likes -= 1;
        }
        changes
            .counts
            .retain(|post, counts| *counts != Counts::default() && !gone(post));
        // A new post is inserted with its counts.
        for (id, post) in &mut changes.created {
            post.counts = changes.counts.remove(id).unwrap_or_default();
        }
        Ok(changes)
    }
}
