//! The mark up to which an account has read its feed. The feed itself is a read model.

pub mod sql;
#[cfg(test)]
mod tests;

use feedmill_events::{Event, Partition, event::v1::FeedRead};
use uuid::Uuid;

use super::{
    clock::Moment,
    decision::{Decision, Outcome, Rejection},
    mark::Marks,
};

#[derive(Debug, Clone, Copy)]
pub enum FeedCommand {
    /// Marks everything up to this id as read, whether or not a post has it.
    MarkRead { up_to: Uuid },
}

impl FeedCommand {
    pub fn partition(actor: Uuid) -> Partition {
        Partition::of(actor)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::MarkRead { .. } => "mark_feed_read",
        }
    }

    pub fn request(actor: Uuid, marks: &mut Marks) {
        marks.request(actor);
    }

    pub fn decide(self, marks: &Marks, actor: Uuid, moment: Moment) -> Result<Decision, Rejection> {
        let Self::MarkRead { up_to } = self;
        if !marks.moves(actor, up_to, moment)? {
            return Ok(Decision::unchanged(Outcome::Done));
        }
        let event = FeedRead { user: actor, up_to };
        Ok(Decision::done(Event::FeedRead(event)))
    }
}
