//! Names on the wire: the only place that spells out a stream, a subject or a header.

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

/// Header: `<partition>:<seq>`. JetStream drops a message whose id it has already stored.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";
/// Header: the name of the event type.
pub const EVENT_TYPE: &str = "Feedmill-Event-Type";
/// Header: the W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// The subject of a partition's events.
pub fn events(partition: Partition) -> String {
    format!("feedmill.events.{partition}")
}

/// The subject of a projection's announcements.
pub fn announcements(projection: Projection) -> String {
    format!("feedmill.projected.{projection}")
}

/// The message id of an event.
pub fn message_id(partition: Partition, seq: i64) -> String {
    format!("{partition}:{seq}")
}

/// The partition and sequence number in a message id.
pub fn parse_message_id(text: &str) -> Option<(Partition, i64)> {
    let (partition, seq) = text.split_once(':')?;
    let partition = Partition::try_from(partition.parse::<u8>().ok()?).ok()?;
    let seq = seq.parse().ok().filter(|seq| *seq > 0)?;
    Some((partition, seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_parses_from_its_text() {
        let partition = Partition::try_from(9u8).unwrap();
        assert_eq!(
            parse_message_id(&message_id(partition, 12)),
            Some((partition, 12))
        );
        for bad in ["", "9", "9:", "9:0", "64:1", "9:-1", "x:1"] {
            assert_eq!(parse_message_id(bad), None, "{bad:?}");
        }
    }
}
