//! The bytes of an event: the same in `write.events.body` and in the body of a JetStream message.
//!
//! An envelope is postcard too: type name, version, time, payload. The name and the version choose the
//! struct of the payload, since postcard itself cannot tell one struct from another.

use serde::{Deserialize, Serialize};

use crate::Event;

/// No event is larger, and nothing larger is decoded. A text of 5,000 characters is 20,000 bytes at most.
pub const MAX_EVENT_BYTES: usize = 64 * 1024;

/// An event and when it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Unix milliseconds: when the command was decided, or an imported record's own time.
    pub at: i64,
    pub event: Event,
}

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("{0} bytes are more than an event may have ({MAX_EVENT_BYTES})")]
    TooLarge(usize),
    #[error("the envelope does not decode: {0}")]
    Envelope(postcard::Error),
    #[error("the payload does not decode: {0}")]
    Payload(postcard::Error),
    #[error("{0} bytes are left over")]
    Trailing(usize),
    #[error("no event is called {name:?} in version {version}")]
    Unknown { name: String, version: u16 },
}

#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("{0} bytes are more than an event may have ({MAX_EVENT_BYTES})")]
    TooLarge(usize),
    #[error(transparent)]
    Postcard(#[from] postcard::Error),
}

#[derive(Serialize, Deserialize)]
struct Frame<'a> {
    name: &'a str,
    version: u16,
    at: i64,
    payload: &'a [u8],
}

impl Envelope {
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

    /// Reads an envelope of any version ever written. Never panics, and allocates no more than a small
    /// multiple of `bytes.len()`.
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
