//! Names on the wire: the only place that spells out a stream, a subject or a header.

use std::fmt;

use crate::{id::Partition, projection::Projection};

/// The JetStream stream of all events.
pub const STREAM: &str = "EVENTS";

/// All subjects of the stream.
pub const ALL_EVENTS: &str = "feedmill.events.*";

/// Core NATS: events were appended to the log. The payload is the set of their partitions, 64 bits in big-endian order
/// ([`PartitionSet::bits`](crate::PartitionSet::bits)).
pub const APPENDED: &str = "feedmill.log.appended";

/// Core NATS: sessions have ended, and their access tokens are to be refused. The payload is JSON, like the list that write-api
/// serves of them.
pub const ENDED_SESSIONS: &str = "feedmill.sessions.ended";

/// Core NATS: what every read-api is to do with its cache, `clear` or `cleanup`.
pub const CACHE: &str = "feedmill.cache";

/// Core NATS: a projector instance started or stopped, and the others should read the list of instances. No payload.
pub const PROJECTORS: &str = "feedmill.projectors";

/// Core NATS: announcements of all projections. A message is an [`Announcement`](crate::Announcement).
pub const ALL_ANNOUNCEMENTS: &str = "feedmill.projected.*";

/// Header of an event: its [`MessageId`]. JetStream drops a message whose id it has already stored.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";
/// Header of a message on core NATS: its code ([`AnnouncementKey`](crate::mac::AnnouncementKey)).
pub const CODE: &str = "Feedmill-Code";
/// Header: the name of the event type.
pub const EVENT_TYPE: &str = "Feedmill-Event-Type";
/// Header: the W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// The subjects below which NATS answers a service's requests, events among them. Each service has its own, so that a NATS user
/// need not see what others receive.
pub fn inbox_prefix(service: &str) -> String {
    format!("_INBOX_{service}")
}

/// The subject of a partition's events.
pub fn events(partition: Partition) -> String {
    format!("feedmill.events.{partition}")
}

/// The subject of a projection's announcements.
pub fn announcements(projection: Projection) -> String {
    format!("feedmill.projected.{projection}")
}

/// The metadata of the stream that says whose it is: the fingerprint of the [`EventKey`](crate::mac::EventKey).
pub const OWNER: &str = "feedmill-event-key";

/// The id of an event's message, `<partition>:<seq>:<code>:<opened>`. JetStream drops a message whose id it has seen within the
/// last two minutes, so the id contains all that makes a message another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageId<'a> {
    pub partition: Partition,
    pub seq: i64,
    /// None in a message of a version before signatures.
    pub signature: Option<Signature<'a>>,
}

/// What distinguishes two messages of one place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature<'a> {
    /// The event's code ([`EventKey`](crate::mac::EventKey)): a message that was forged without the key has another one.
    pub code: &'a str,
    /// The last sequence number of the stream when the publisher opened it: an event whose message was removed can be published
    /// again.
    pub opened: u64,
}

impl<'a> MessageId<'a> {
    /// None for anything else.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(':');
        let partition = parts.next()?.parse::<u8>().ok()?;
        let seq = parts.next()?.parse().ok().filter(|seq| *seq > 0)?;
        let signature = match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => None,
            (Some(code), Some(opened), None) => Some(Signature {
                code,
                opened: opened.parse().ok()?,
            }),
            _ => return None,
        };
        Some(Self {
            partition: Partition::try_from(partition).ok()?,
            seq,
            signature,
        })
    }
}

impl fmt::Display for MessageId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.seq)?;
        match self.signature {
            Some(Signature { code, opened }) => write!(f, ":{code}:{opened}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_parses_from_its_text() {
        let partition = Partition::try_from(9u8).unwrap();
        let signature = Signature {
            code: "c0de",
            opened: 345,
        };
        for (signature, text) in [(None, "9:12"), (Some(signature), "9:12:c0de:345")] {
            let id = MessageId {
                partition,
                seq: 12,
                signature,
            };
            assert_eq!(id.to_string(), text);
            assert_eq!(MessageId::parse(text), Some(id));
        }
        for bad in [
            "",
            "9",
            "9:",
            "9:0",
            "64:1",
            "9:-1",
            "x:1",
            "9:x:c0de:1",
            "9:1:c0de",
            "9:1:c0de:x",
            "9:1:c0de:1:",
        ] {
            assert_eq!(MessageId::parse(bad), None, "{bad:?}");
        }
    }
}
