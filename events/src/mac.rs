//! Message authentication codes, by which receivers know who published a message.
//!
//! NATS delivers what anybody with access to it publishes. An event is applied only if its code shows that it comes from
//! write-api, and an announcement only if it comes from a service of the same installation. The codes are HMAC-SHA256,
//! truncated to 128 bits (RFC 2104, section 5), as base64 for URLs. The keys are in the database (`write.secrets`), where only
//! the services that need them may read them.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::id::Partition;

/// The length of a key in bytes.
pub const KEY_BYTES: usize = 32;
/// The length of a code in bytes.
const CODE_BYTES: usize = 16;

/// An event of the log, as it is authenticated: all that a message of it contains.
#[derive(Debug, Clone, Copy)]
pub struct LoggedMessage<'a> {
    pub partition: Partition,
    pub seq: i64,
    /// The name of the event's type.
    pub event_type: &'a str,
    /// The W3C traceparent of the request that caused the event.
    pub trace: Option<&'a str>,
    /// The encoded envelope.
    pub body: &'a [u8],
}

/// Authenticates events. write-api signs with it, and the projector verifies.
#[derive(Clone)]
pub struct EventKey(Key);

impl EventKey {
    /// Errors: not [`KEY_BYTES`] long.
    pub fn new(key: &[u8]) -> Result<Self, InvalidKey> {
        Key::new(key).map(Self)
    }

    /// Tells one key from another, and nothing else about it. A stream has it, so that a relay knows whose the stream is.
    pub fn fingerprint(&self) -> String {
        // No event begins like this: its first byte is a partition.
        encode(self.0.0.clone().chain_update(b"fingerprint"))
    }

    /// The code of an event.
    pub fn sign(&self, message: &LoggedMessage) -> String {
        encode(self.code(message))
    }

    pub fn verify(&self, message: &LoggedMessage, code: &str) -> bool {
        verify(self.code(message), code)
    }

    fn code(&self, message: &LoggedMessage) -> Hmac<Sha256> {
        let mut code = self.0.0.clone();
        code.update(&[message.partition.number()]);
        code.update(&message.seq.to_be_bytes());
        // With their lengths, so that no two messages have the same bytes.
        for part in [message.event_type, message.trace.unwrap_or_default()] {
            code.update(&(part.len() as u64).to_be_bytes());
            code.update(part.as_bytes());
        }
        code.update(message.body);
        code
    }
}

/// Authenticates what services tell each other on core NATS.
#[derive(Clone)]
pub struct AnnouncementKey(Key);

impl AnnouncementKey {
    /// Errors: not [`KEY_BYTES`] long.
    pub fn new(key: &[u8]) -> Result<Self, InvalidKey> {
        Key::new(key).map(Self)
    }

    /// The code of a message on this subject.
    pub fn sign(&self, subject: &str, payload: &[u8]) -> String {
        encode(self.code(subject, payload))
    }

    pub fn verify(&self, subject: &str, payload: &[u8], code: &str) -> bool {
        verify(self.code(subject, payload), code)
    }

    fn code(&self, subject: &str, payload: &[u8]) -> Hmac<Sha256> {
        let mut code = self.0.0.clone();
        code.update(&(subject.len() as u64).to_be_bytes());
        code.update(subject.as_bytes());
        code.update(payload);
        code
    }
}

/// A key with its first block computed, which halves the cost of a short message.
#[derive(Clone)]
struct Key(Hmac<Sha256>);

impl Key {
    fn new(key: &[u8]) -> Result<Self, InvalidKey> {
        if key.len() != KEY_BYTES {
            return Err(InvalidKey(key.len()));
        }
        let hmac = Hmac::new_from_slice(key).map_err(|_| InvalidKey(key.len()))?;
        Ok(Self(hmac))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has {0} bytes instead of {KEY_BYTES}")]
pub struct InvalidKey(pub(crate) usize);

fn encode(code: Hmac<Sha256>) -> String {
    URL_SAFE_NO_PAD.encode(&code.finalize().into_bytes()[..CODE_BYTES])
}

/// In constant time.
fn verify(code: Hmac<Sha256>, found: &str) -> bool {
    URL_SAFE_NO_PAD
        .decode(found)
        .is_ok_and(|found| found.len() == CODE_BYTES && code.verify_truncated_left(&found).is_ok())
}

impl fmt::Debug for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventKey")
    }
}

impl fmt::Debug for AnnouncementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnnouncementKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> LoggedMessage<'static> {
        LoggedMessage {
            partition: Partition::try_from(0u8).unwrap(),
            seq: 7,
            event_type: "post.created",
            trace: Some("00-1-2-01"),
            body: b"body",
        }
    }

    fn key(byte: u8) -> EventKey {
        EventKey::new(&[byte; KEY_BYTES]).unwrap()
    }

    #[test]
    fn a_code_is_of_all_parts_of_an_event_and_of_the_key() {
        let message = message();
        let code = key(1).sign(&message);
        assert_eq!(code.len(), 22);
        assert!(key(1).verify(&message, &code));
        assert!(!key(2).verify(&message, &code));
        let others = [
            LoggedMessage {
                partition: Partition::try_from(1u8).unwrap(),
                ..message
            },
            LoggedMessage { seq: 8, ..message },
            LoggedMessage {
                event_type: "post.created0",
                trace: Some("0-1-2-01"),
                ..message
            },
            LoggedMessage {
                trace: None,
                ..message
            },
            LoggedMessage {
                body: b"bodY",
                ..message
            },
        ];
        for other in others {
            assert!(!key(1).verify(&other, &code), "{other:?}");
        }
        for bad in ["", "AAAA", &code[1..], "not base64!"] {
            assert!(!key(1).verify(&message, bad), "{bad:?}");
        }
    }

    #[test]
    fn an_announcement_is_of_one_subject() {
        let key = AnnouncementKey::new(&[1; KEY_BYTES]).unwrap();
        let code = key.sign("feedmill.projected.feed", b"payload");
        assert!(key.verify("feedmill.projected.feed", b"payload", &code));
        assert!(!key.verify("feedmill.projected.feed", b"payloaD", &code));
        assert!(!key.verify("feedmill.projected.fee", b"dpayload", &code));
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert_eq!(EventKey::new(b"short").unwrap_err(), InvalidKey(5));
        assert!(AnnouncementKey::new(&[]).is_err());
    }
}
