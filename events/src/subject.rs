//! Names on the wire. Nobody else spells a subject, a stream or a header.

use crate::{Partition, Projection};

/// The JetStream stream of all events.
pub const STREAM: &str = "EVENTS";

/// Every subject of the stream.
pub const ALL_EVENTS: &str = "feedmill.events.*";

/// Core NATS: something was appended to the log. The payload says to which partitions: 64 bits, the first one last.
pub const APPENDED: &str = "feedmill.log.appended";

/// Core NATS: a projector came or went, and the others are to look who is there. No payload.
pub const PROJECTORS: &str = "feedmill.projectors";

/// Core NATS: what a projection changed, an [`Announcement`](crate::Announcement) a message.
pub const ALL_ANNOUNCEMENTS: &str = "feedmill.projected.*";

/// `<partition>:<seq>`; JetStream drops a second message with the same one.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";
pub const EVENT_TYPE: &str = "Feedmill-Event-Type";
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

/// The event that a message carries, from its message id.
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
    fn a_message_id_reads_back() {
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
