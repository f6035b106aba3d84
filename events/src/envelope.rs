//! The bytes of an event: the same in `write.events.body` and in the body of a JetStream message.
//!
//! An envelope is encoded in postcard: type name, version, time, payload. Postcard does not describe itself, so the
//! name and the version select the struct that the payload is decoded to.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{DecodeError, EncodeError, MAX_EVENT_BYTES},
    event::Event,
};

/// An event and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Unix milliseconds: the time of the command's decision, or the time of an imported record.
    pub at: i64,
    pub event: Event,
}

#[derive(Serialize, Deserialize)]
struct Frame<'a> {
    name: &'a str,
    version: u16,
    at: i64,
    payload: &'a [u8],
}

impl Envelope {
    /// Errors: the event is larger than [`MAX_EVENT_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let payload = self.event.encode()?;
        let bytes = postcard::to_stdvec(&Frame {
            name: self.event.event_type().name(),
            version: self.event.event_type().version(),
            at: self.at,
            payload: &payload,
        })?;
        if bytes.len() > MAX_EVENT_BYTES {
            return Err(EncodeError::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }

    /// Decodes an envelope of any version that was ever written. Never panics, and allocates at most a small multiple
    /// of `bytes.len()`.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_EVENT_BYTES {
            return Err(DecodeError::TooLarge(bytes.len()));
        }
        let (frame, rest): (Frame<'_>, _) =
            postcard::take_from_bytes(bytes).map_err(DecodeError::Envelope)?;
        if !rest.is_empty() {
            return Err(DecodeError::Trailing(rest.len()));
        }
        Ok(Self {
            at: frame.at,
            event: Event::decode(frame.name, frame.version, frame.payload)?,
        })
    }
}
