//! A batch's net changes to what accounts received on a day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use feedmill_events::Event;
use uuid::Uuid;

use crate::{
    batch::Batch,
    error::ApplyError,
    projection::{made_at, time},
};

#[derive(Debug, Default)]
pub struct Changes {
    /// Posts that the batch deletes, also those that it made itself.
    pub deleted: BTreeSet<Uuid>,
    /// What posts that the batch does not delete get or lose, by post and day.
    pub received: BTreeMap<(Uuid, NaiveDate), Received>,
    pub members: Vec<(Uuid, Uuid)>,
    /// By conversation, sender and day: how many.
    pub messages: BTreeMap<(Uuid, Uuid, NaiveDate), i64>,
    /// What accounts get or lose, by viewer and day. Completed by the statements.
    pub days: BTreeMap<(Uuid, NaiveDate), Day>,
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
                        .day(e.followee, date(time(e.followed_at)?))
                        .followers -= 1;
                }
                Event::PostLiked(e) if e.user != e.author => {
                    changes.receive(e.post, e.author, date(logged.at)).likes += 1;
                }
                Event::PostUnliked(e) if e.user != e.author => {
                    changes
                        .receive(e.post, e.author, date(time(e.liked_at)?))
                        .likes -= 1;
                }
                Event::PostCreated(e) => {
                    if let Some(parent) = e.reply_to.filter(|parent| parent.author != e.author) {
                        changes
                            .receive(parent.post, parent.author, date(made_at(e.post)?))
                            .replies += 1;
                    }
                }
                Event::PostDeleted(e) => {
                    changes.delete(e.post);
                    // If the post that it answered is gone too, there will be no row to take it from.
                    if let Some(parent) = e.reply_to.filter(|parent| parent.author != e.author) {
                        changes
                            .receive(parent.post, parent.author, date(made_at(e.post)?))
                            .replies -= 1;
                    }
                }
                Event::ConversationCreated(e) => {
                    changes
                        .members
                        .extend(e.members.iter().map(|member| (e.conversation, *member)));
                }
                Event::MessageSent(e) => {
                    let key = (e.conversation, e.sender, date(made_at(e.message)?));
                    *changes.messages.entry(key).or_default() += 1;
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

    fn receive(&mut self, post: Uuid, author: Uuid, day: NaiveDate) -> &mut Received {
        self.received.entry((post, day)).or_insert(Received {
            author,
            likes: 0,
            replies: 0,
        })
    }

    /// What the batch gave the post is gone with it; what it had before, the statements take.
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
    use crate::projection::tests::for_nobody;

    #[test]
    fn what_does_not_concern_it_changes_nothing() {
        let changes = Changes::of(&for_nobody()).unwrap();
        assert_eq!(format!("{changes:?}"), format!("{:?}", Changes::default()));
    }
}
