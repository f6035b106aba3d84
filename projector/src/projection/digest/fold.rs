//! A batch's net changes to what accounts received per day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use feedmill_events::Event;
use uuid::Uuid;

use crate::{
    batch::Batch,
    error::ApplyError,
    projection::{
        event_time::{created_at, from_millis},
        net::Net,
    },
};

#[derive(Debug, Default)]
pub struct Changes {
    /// Posts that the batch deletes, including those that it also creates.
    pub deleted: BTreeSet<Uuid>,
    /// By post and day: the change of what posts received that the batch does not delete.
    pub received: BTreeMap<(Uuid, NaiveDate), Received>,
    /// By conversation and member: the id after which the member receives messages; None: all.
    pub members: Net<(Uuid, Uuid), Option<Uuid>>,
    /// What happens in conversations, in order.
    pub conversations: Vec<ConversationEvent>,
    /// By viewer and day: the change of what accounts received. Completed by the statements.
    pub days: BTreeMap<(Uuid, NaiveDate), Day>,
}

/// An event of a conversation that changes what its members receive, or who they are.
#[derive(Debug, Clone, Copy)]
pub struct ConversationEvent {
    pub conversation: Uuid,
    pub change: ConversationChange,
}

#[derive(Debug, Clone, Copy)]
pub enum ConversationChange {
    Joined { member: Uuid, since: Option<Uuid> },
    Left { member: Uuid, until: Uuid },
    Sent { message: Uuid, sender: Uuid },
    Deleted { message: Uuid, sender: Uuid },
}

/// Likes and replies by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    pub author: Uuid,
    pub likes: i64,
    pub replies: i64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    pub likes: i64,
    pub replies: i64,
    pub followers: i64,
    pub connections: i64,
    pub messages: i64,
}

impl Changes {
    pub fn of(batch: &Batch) -> Result<Self, ApplyError> {
        let mut changes = Self::default();
        for logged in &batch.events {
            match &logged.event {
                Event::AccountFollowed(e) => {
                    changes.day(e.followee, date(logged.at)).followers += 1;
                }
                Event::AccountUnfollowed(e) => {
                    changes
                        .day(e.followee, date(from_millis(e.followed_at)?))
                        .followers -= 1;
                }
                Event::ConnectionMade(e) => {
                    changes.day(e.account, date(logged.at)).connections += 1;
                }
                Event::ConnectionEnded(e) => {
                    changes
                        .day(e.account, date(from_millis(e.connected_at)?))
                        .connections -= 1;
                }
                Event::PostLiked(e) if e.user != e.author => {
                    changes.receive(e.post, e.author, date(logged.at)).likes += 1;
                }
                Event::PostUnliked(e) if e.user != e.author => {
                    changes
                        .receive(e.post, e.author, date(from_millis(e.liked_at)?))
                        .likes -= 1;
                }
                Event::PostCreated(e) => {
                    if let Some(parent) = e.reply_to.filter(|parent| parent.author != e.author) {
                        changes
                            .receive(parent.post, parent.author, date(created_at(e.post)?))
                            .replies += 1;
                    }
                }
                Event::PostDeleted(e) => {
                    changes.delete(e.post);
                    // If the parent is deleted too, it has no row to subtract from.
                    if let Some(parent) = e.reply_to.filter(|parent| parent.author != e.author) {
                        changes
                            .receive(parent.post, parent.author, date(created_at(e.post)?))
                            .replies -= 1;
                    }
                }
                Event::ConversationCreated(e) => {
                    for member in &e.members {
                        changes.join(e.conversation, *member, None);
                    }
                }
                Event::MemberAdded(e) => changes.join(e.conversation, e.user, Some(e.since)),
                Event::MemberLeft(e) => {
                    changes.members.stop((e.conversation, e.user));
                    let (member, until) = (e.user, e.until);
                    changes.happen(e.conversation, ConversationChange::Left { member, until });
                }
                Event::MessageDeleted(e) => {
                    let (message, sender) = (e.message, e.sender);
                    changes.happen(
                        e.conversation,
                        ConversationChange::Deleted { message, sender },
                    );
                }
                Event::MessageSent(e) => {
                    let (message, sender) = (e.message, e.sender);
                    changes.happen(e.conversation, ConversationChange::Sent { message, sender });
                }
                _ => {}
            }
        }
        changes
            .received
            .retain(|_, received| (received.likes, received.replies) != (0, 0));
        Ok(changes)
    }

    pub fn day(&mut self, viewer: Uuid, day: NaiveDate) -> &mut Day {
        self.days.entry((viewer, day)).or_default()
    }

    fn join(&mut self, conversation: Uuid, member: Uuid, since: Option<Uuid>) {
        self.members.start((conversation, member), since);
        self.happen(conversation, ConversationChange::Joined { member, since });
    }

    fn happen(&mut self, conversation: Uuid, change: ConversationChange) {
        let event = ConversationEvent {
            conversation,
            change,
        };
        self.conversations.push(event);
    }

    fn receive(&mut self, post: Uuid, author: Uuid, day: NaiveDate) -> &mut Received {
        self.received.entry((post, day)).or_insert(Received {
            author,
            likes: 0,
            replies: 0,
        })
    }

    /// Forgets what the post received in the batch. What it received before, the statements subtract.
    fn delete(&mut self, post: Uuid) {
        let all_days = (post, NaiveDate::MIN)..=(post, NaiveDate::MAX);
        let keys: Vec<_> = self.received.range(all_days).map(|(key, _)| *key).collect();
        for key in keys {
            self.received.remove(&key);
        }
        self.deleted.insert(post);
    }
}

fn date(time: DateTime<Utc>) -> NaiveDate {
    time.date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::test_batches::acts_on_oneself;

    #[test]
    fn acts_on_oneself_change_nothing() {
        let changes = Changes::of(&acts_on_oneself()).unwrap();
        assert_eq!(format!("{changes:?}"), format!("{:?}", Changes::default()));
    }
}
