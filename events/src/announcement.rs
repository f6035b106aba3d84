//! What the projector tells everyone on core NATS after a commit: how far a projection is.
//!
//! An announcement may be lost (core NATS keeps nothing), so whoever listens must be right without it, only
//! later.

use serde::{Deserialize, Serialize};

use crate::{DecodeError, Partition};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub projection: String,
    pub generation: i32,
    /// Per partition that moved, its new checkpoint.
    pub progress: Vec<(Partition, i64)>,
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
