//! A batch's net changes to notifications.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::Event;
use uuid::Uuid;

use super::id;
use crate::{batch::Batch, projection::net::Net};

/// The viewer and the id of a notification.
pub type Key = (Uuid, Uuid);

/// Who acted, on which post of the viewer, with which reply.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    pub actor: Uuid,
    pub post: Option<Uuid>,
    pub reply: Option<Uuid>,
}

#[derive(Debug, Default)]
pub struct Changes {
    /// Follows and likes. One that is undone has a row: nobody can unlike a deleted post.
    pub acts: Net<Key, Act>,
    /// Replies. One that is deleted has a row only if its parent still exists.
    pub replies: Net<Key, Act>,
    /// Posts that the batch deletes: all notifications about them are deleted.
    pub deleted: BTreeSet<Uuid>,
    /// By viewer: the greatest read mark of the batch.
    pub marks: BTreeMap<Uuid, Uuid>,
}

impl Changes {
    pub fn of(batch: &Batch) -> Self {
        let mut changes = Self::default();
        for logged in &batch.events {
            let at = logged.at.timestamp_millis();
            match &logged.event {
                Event::AccountFollowed(e) => {
                    let act = Act {
                        actor: e.follower,
                        post: None,
                        reply: None,
                    };
                    let id = id::follow(at, e.follower, e.followee);
                    changes.acts.start((e.followee, id), act);
                }
                Event::AccountUnfollowed(e) => {
                    let id = id::follow(e.followed_at, e.follower, e.followee);
                    changes.acts.stop((e.followee, id));
                }
                Event::PostLiked(e) if e.user != e.author => {
                    let act = Act {
                        actor: e.user,
                        post: Some(e.post),
                        reply: None,
                    };
                    let id = id::like(at, e.user, e.post);
                    changes.acts.start((e.author, id), act);
                }
                Event::PostUnliked(e) if e.user != e.author => {
                    let id = id::like(e.liked_at, e.user, e.post);
                    changes.acts.stop((e.author, id));
                }
                Event::PostCreated(e) => {
                    if let Some(parent) = e.reply_to.filter(|parent| parent.author != e.author) {
                        let act = Act {
                            actor: e.author,
                            post: Some(parent.post),
                            reply: Some(e.post),
                        };
                        let id = id::reply(e.author, e.post);
                        changes.replies.start((parent.author, id), act);
                    }
                }
                Event::PostDeleted(e) => {
                    changes.deleted.insert(e.post);
                    if let Some(parent) = e.reply_to.filter(|parent| parent.author != e.author) {
                        let id = id::reply(e.author, e.post);
                        changes.replies.stop((parent.author, id));
                    }
                }
                Event::NotificationsRead(e) => {
                    let mark = changes.marks.entry(e.user).or_default();
                    *mark = e.up_to.max(*mark);
                }
                _ => {}
            }
        }
        changes
    }

    /// The new notifications that exist after the batch.
    pub fn inserted(&self) -> impl Iterator<Item = (Key, Act)> {
        let all = self.acts.current().chain(self.replies.current());
        all.map(|(key, act)| (key, *act))
            .filter(|(_, act)| act.post.is_none_or(|post| !self.deleted.contains(&post)))
    }

    /// By viewer: by how much the number of notifications changes. `deleted` has the viewer of each deleted one.
    pub fn totals<'a>(&self, deleted: impl Iterator<Item = &'a Uuid>) -> BTreeMap<Uuid, i64> {
        let mut totals = BTreeMap::new();
        for ((viewer, _), _) in self.inserted() {
            *totals.entry(viewer).or_default() += 1;
        }
        for viewer in deleted {
            *totals.entry(*viewer).or_default() -= 1;
        }
        totals.retain(|_, change| *change != 0);
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::test_batches::acts_on_oneself;

    #[test]
    fn acts_on_oneself_change_nothing() {
        let changes = Changes::of(&acts_on_oneself());
        assert_eq!(format!("{changes:?}"), format!("{:?}", Changes::default()));
    }
}
