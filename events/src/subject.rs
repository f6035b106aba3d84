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

/// The id of an event's message, `<partition>:<seq>:<code>:<opened>`. With the code in it, a message that was forged without the
/// key has another id, so that JetStream does not mistake the event that it stands for as a duplicate. The last part is the last
/// sequence number of the stream when its publisher opened it: an event whose message was removed is published again under
/// another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageId<'a> {
    pub partition: Partition,
    pub seq: i64,
    /// The event's code ([`EventKey`](crate::mac::EventKey)). None in a message of a version before codes.
    pub code: Option<&'a str>,
}

impl<'a> MessageId<'a> {
    /// None for anything else.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (partition, rest) = text.split_once(':')?;
        let (seq, code) = match rest.split_once(':') {
            Some((seq, rest)) => (seq, rest.split(':').next()),
            None => (rest, None),
        };
        Some(Self {
            partition: Partition::try_from(partition.parse::<u8>().ok()?).ok()?,
            seq: seq.parse().ok().filter(|seq| *seq > 0)?,
            code,
        })
    }
}

impl fmt::Display for MessageId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.seq)?;
        self.code.map_or(Ok(()), |code| write!(f, ":{code}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_parses_from_its_text() {
        let partition = Partition::try_from(9u8).unwrap();
        for code in [None, Some("c0de")] {
            let id = MessageId {
                partition,
                seq: 12,
                code,
            };
            assert_eq!(MessageId::parse(&id.to_string()), Some(id));
        }
        let whole = MessageId::parse("9:12:c0de:345");
        assert_eq!(whole.and_then(|id| id.code), Some("c0de"));
        for bad in ["", "9", "9:", "9:0", "64:1", "9:-1", "x:1", "9:x:c0de"] {
            assert_eq!(MessageId::parse(bad), None, "{bad:?}");
        }
    }
}
