//! What encoding and decoding have in common: the size limit, the errors, and decoding postcard to the last byte.

use serde::de::DeserializeOwned;

/// The maximum size of an encoded event. A larger one is neither written nor decoded. (A text of 5,000 characters is at
/// most 20,000 bytes.)
pub const MAX_EVENT_BYTES: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("{0} bytes are more than the maximum size of an event ({MAX_EVENT_BYTES})")]
    TooLarge(usize),
    #[error("the envelope does not decode: {0}")]
    Envelope(postcard::Error),
    #[error("the payload does not decode: {0}")]
    Payload(postcard::Error),
    #[error("{0} bytes are left after the last field")]
    Trailing(usize),
    #[error("unknown event type {name:?} in version {version}")]
    Unknown { name: String, version: u16 },
}

#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("{0} bytes are more than the maximum size of an event ({MAX_EVENT_BYTES})")]
    TooLarge(usize),
    #[error(transparent)]
    Postcard(#[from] postcard::Error),
}

/// Decodes all of `payload`. Errors: it is not a `T`, or bytes are left.
pub(crate) fn from_postcard<T: DeserializeOwned>(payload: &[u8]) -> Result<T, DecodeError> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(DecodeError::Trailing(rest.len())),
        Err(error) => Err(DecodeError::Payload(error)),
    }
}
