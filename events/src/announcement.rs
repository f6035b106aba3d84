//! What the projector tells everyone on core NATS after a commit: how far a projection is, and what changed.
//!
//! An announcement may be lost (core NATS keeps nothing). Each says from where it goes on, so whoever listens
//! notices a lost one by the next, and by comparing with the checkpoints.

use serde::{Deserialize, Serialize};

use crate::{DecodeError, Partition, Tag};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub projection: String,
    pub generation: i32,
    /// The partitions that moved.
    pub progress: Vec<Moved>,
    pub changed: Changed,
}

/// A partition's checkpoint, before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    pub partition: Partition,
    pub from: i64,
    pub to: i64,
}

/// Whose answers may be others than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Changed {
    These(Vec<Tag>),
    /// Too many to name, or a generation has gone live that may differ from the one before.
    Everything,
    /// Nothing: the generation has gone live in the place of this one, and gives the same answers.
    Generation {
        equals: i32,
    },
}

impl Announcement {
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(DecodeError::Trailing(rest.len())),
            Err(error) => Err(DecodeError::Payload(error)),
        }
    }
}
