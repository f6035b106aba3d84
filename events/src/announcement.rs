//! What the projector publishes on core NATS after each commit: the progress of a projection, and what changed.
//!
//! Core NATS delivers at most once, so an announcement may be lost. Each one carries the checkpoints that it starts
//! from: a subscriber notices a lost announcement by the next one, or by comparing with the checkpoint table.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{DecodeError, from_postcard},
    id::Partition,
    projection::Projection,
    tag::Tag,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub projection: Projection,
    pub generation: i32,
    /// The partitions whose checkpoint advanced.
    pub progress: Vec<Advance>,
    pub changed: Changed,
}

/// A partition's checkpoint before and after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advance {
    pub partition: Partition,
    pub from: i64,
    pub to: i64,
}

/// Which answers may have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Changed {
    /// Those that depend on one of these tags.
    Tags(Vec<Tag>),
    /// All: too many tags to list, or a generation went live that may differ from the one before.
    All,
    /// None: this generation went live and was verified to equal the generation `equals`.
    Generation { equals: i32 },
}

impl Announcement {
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_postcard(bytes)
    }
}
