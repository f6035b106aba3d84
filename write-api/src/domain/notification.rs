//! The mark up to which an account has read its notifications. The notifications themselves are a read model.

pub mod sql;
#[cfg(test)]
mod tests;

use feedmill_events::{Event, Partition, event::v1::NotificationsRead, id};
use uuid::Uuid;

use super::{
    clock::Moment,
    decision::{Decision, Outcome, Rejection},
    table::Table,
};

/// How far the clocks of two instances may differ, in milliseconds. A notification's id has the time of the instance
/// that caused it.
const MAX_CLOCK_SKEW: i64 = 5_000;

#[derive(Debug, Clone, Copy)]
pub enum NotificationCommand {
    /// Everything up to this id is read. No notification need have it: ids are in order of time.
    MarkRead { up_to: Uuid },
}

#[derive(Debug, Default)]
pub struct NotificationMarks {
    /// The mark of each account that has one.
    rows: Table<Uuid, Uuid>,
}

impl NotificationMarks {
    pub fn read(&mut self, event: &NotificationsRead) {
        self.rows.insert(event.user, event.up_to);
    }
}

impl NotificationCommand {
    pub fn partition(actor: Uuid) -> Partition {
        Partition::of(actor)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::MarkRead { .. } => "mark_notifications_read",
        }
    }

    pub fn request(actor: Uuid, marks: &mut NotificationMarks) {
        marks.rows.request(actor);
    }

    /// A mark never moves back.
    pub fn decide(
        self,
        marks: &NotificationMarks,
        actor: Uuid,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        let Self::MarkRead { up_to } = self;
        if id::millis(up_to) > moment.millis + MAX_CLOCK_SKEW {
            return Err(Rejection::FutureMark);
        }
        let mark = marks.rows.get(&actor).copied();
        if mark.unwrap_or_default() >= up_to {
            return Ok(Decision::unchanged(Outcome::Done));
        }
        let event = NotificationsRead { user: actor, up_to };
        Ok(Decision::done(Event::NotificationsRead(event)))
    }
}
