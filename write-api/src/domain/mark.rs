//! The marks up to which accounts have read their feed and their notifications; both lists are read models. A mark is a point
//! in time, given as any id, since ids are in order of time. It never moves back.

pub mod sql;
#[cfg(test)]
mod tests;

use feedmill_events::{
    Event, Partition,
    event::v1::{FeedRead, NotificationsRead},
    id,
};
use uuid::Uuid;

use super::{
    clock::Moment,
    decision::{Decision, Outcome, Rejection},
    table::Table,
};

/// How far the clocks of two instances may differ, in milliseconds. The id of an item has the time of the instance that
/// created it.
const MAX_CLOCK_SKEW: i64 = 5_000;

/// Everything in the list up to this id is read. No item need have it.
#[derive(Debug, Clone, Copy)]
pub struct MarkCommand {
    pub list: MarkedList,
    pub up_to: Uuid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkedList {
    Feed,
    Notifications,
}

/// The mark of each account that has one, by list.
#[derive(Debug, Default)]
pub struct Marks {
    feed: Table<Uuid, Uuid>,
    notifications: Table<Uuid, Uuid>,
}

impl MarkCommand {
    pub fn partition(actor: Uuid) -> Partition {
        Partition::of(actor)
    }

    pub fn name(self) -> &'static str {
        match self.list {
            MarkedList::Feed => "mark_feed_read",
            MarkedList::Notifications => "mark_notifications_read",
        }
    }

    pub fn request(self, actor: Uuid, marks: &mut Marks) {
        match self.list {
            MarkedList::Feed => marks.feed.request(actor),
            MarkedList::Notifications => marks.notifications.request(actor),
        }
    }

    pub fn decide(self, marks: &Marks, actor: Uuid, moment: Moment) -> Result<Decision, Rejection> {
        let (user, up_to) = (actor, self.up_to);
        if id::millis(up_to) > moment.millis + MAX_CLOCK_SKEW {
            return Err(Rejection::FutureMark);
        }
        let (table, event) = match self.list {
            MarkedList::Feed => (&marks.feed, Event::FeedRead(FeedRead { user, up_to })),
            MarkedList::Notifications => (
                &marks.notifications,
                Event::NotificationsRead(NotificationsRead { user, up_to }),
            ),
        };
        let mark = table.get(&actor).copied().unwrap_or_default();
        Ok(if mark < up_to {
            Decision::done(event)
        } else {
            Decision::unchanged(Outcome::Done)
        })
    }
}

impl Marks {
    pub fn feed_read(&mut self, event: &FeedRead) {
        self.feed.insert(event.user, event.up_to);
    }

    pub fn notifications_read(&mut self, event: &NotificationsRead) {
        self.notifications.insert(event.user, event.up_to);
    }
}
