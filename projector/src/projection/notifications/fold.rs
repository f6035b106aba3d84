//! A batch's net changes to notifications.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::Event;
use uuid::Uuid;

use super::id;
use crate::{batch::Batch, projection::net::Net};

/// The viewer and the id of a notification.
pub type Key = (Uuid, Uuid);

/// A step towards a connection, with its number in the table.
#[derive(Debug, Clone, Copy)]
#[repr(i16)]
pub enum ConnectionStep {
    Requested = 1,
    Accepted = 2,
}

/// Who acted, on which post of the viewer, with which reply; or which step towards a connection it was.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    pub actor: Uuid,
    pub connection: Option<ConnectionStep>,
    pub post: Option<Uuid>,
    pub reply: Option<Uuid>,
    /// The reply is in a thread of the viewer.
    pub own_thread: bool,
}

#[derive(Debug, Default)]
pub struct Changes {
    /// Follows, likes and steps towards a connection. One that is undone has a row: nobody can unlike a deleted post.
    pub acts: Net<Key, Act>,
    /// Replies. One that is deleted has a row only if its parent still exists.
    pub replies: Net<Key, Act>,
    /// Posts that the batch deletes: all notifications about them are deleted.
    pub deleted: BTreeSet<Uuid>,
    /// By viewer: the greatest read mark of the batch.
    pub marks: BTreeMap<Uuid, Uuid>,
}

impl Act {
    fn of_connection(actor: Uuid, step: ConnectionStep) -> Self {
        Self {
            actor,
            connection: Some(step),
            post: None,
            reply: None,
            own_thread: false,
        }
    }
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
                        connection: None,
                        post: None,
                        reply: None,
                        own_thread: false,
                    };
                    let id = id::follow(at, e.follower, e.followee);
                    changes.acts.start((e.followee, id), act);
                }
                Event::AccountUnfollowed(e) => {
                    let id = id::follow(e.followed_at, e.follower, e.followee);
                    changes.acts.stop((e.followee, id));
                }
                Event::ConnectionRequested(e) => {
                    let act = Act::of_connection(e.from, ConnectionStep::Requested);
                    let id = id::connection_request(at, e.from, e.to);
                    changes.acts.start((e.to, id), act);
                }
                Event::ConnectionRequestEnded(e) => {
                    let id = id::connection_request(e.requested_at, e.from, e.to);
                    changes.acts.stop((e.to, id));
                }
                Event::ConnectionMade(e) if e.requester == e.account => {
                    let act = Act::of_connection(e.other, ConnectionStep::Accepted);
                    let id = id::connection(at, e.other, e.account);
                    changes.acts.start((e.account, id), act);
                }
                Event::ConnectionMade(e) => {
                    if let Some(requested_at) = e.requested_at {
                        let id = id::connection_request(requested_at, e.other, e.account);
                        changes.acts.stop((e.account, id));
                    }
                }
                Event::ConnectionEnded(e) if e.requester == e.account => {
                    let id = id::connection(e.connected_at, e.other, e.account);
                    changes.acts.stop((e.account, id));
                }
                Event::PostLiked(e) if e.user != e.author => {
                    let act = Act {
                        actor: e.user,
                        connection: None,
                        post: Some(e.post),
                        reply: None,
                        own_thread: false,
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
                            connection: None,
                            post: Some(parent.post),
                            reply: Some(e.post),
                            own_thread: e.root_author == Some(parent.author),
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
