//! Word that the log has grown: from the lanes to the relay, and from one instance's relay to the leader's.
//!
//! What a lane has committed it hands over, so that the relay need not read it from the log again; as far as there is
//! room, for the log has it all.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use feedmill_events::PartitionSet;
use tokio::sync::Notify;

use crate::store::log::Entry;

/// As many bytes of events wait for the relay.
const MOST_BYTES: usize = 1 << 20;
/// What an event takes beside its body, about.
const OVERHEAD: usize = 200;

/// What the log has grown by since somebody last asked.
#[derive(Debug, Default)]
pub struct Appended {
    news: Mutex<News>,
    some: Notify,
}

#[derive(Debug, Default)]
pub struct News {
    pub events: Vec<Entry>,
    bytes: usize,
    /// Partitions that have grown by other events than these.
    pub others: PartitionSet,
}

impl Appended {
    /// After the commit.
    pub fn add(&self, events: impl IntoIterator<Item = Entry>) {
        let mut news = self.news();
        for event in events {
            let bytes = OVERHEAD + event.body.len();
            if news.bytes + bytes <= MOST_BYTES {
                news.bytes += bytes;
                news.events.push(event);
            } else {
                news.others.insert(event.partition);
            }
        }
        self.some.notify_one();
    }

    /// Waits until there is something.
    pub async fn next(&self) -> News {
        self.some.notified().await;
        mem::take(&mut *self.news())
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    /// All partitions that have grown.
    pub fn grown(&self) -> PartitionSet {
        let mut grown: PartitionSet = self.events.iter().map(|event| event.partition).collect();
        grown.insert_all(self.others);
        grown
    }
}

/// As one instance tells it to another.
pub fn to_bytes(grown: PartitionSet) -> [u8; 8] {
    grown.bits().to_be_bytes()
}

/// Whatever is not understood may mean any.
pub fn from_bytes(bytes: &[u8]) -> PartitionSet {
    let bits = bytes.try_into().map(u64::from_be_bytes);
    bits.map_or(PartitionSet::ALL, PartitionSet::from_bits)
}

#[cfg(test)]
mod tests {
    use feedmill_events::Partition;
    use futures::FutureExt as _;

    use super::*;

    fn event(partition: Partition, bytes: usize) -> Entry {
        Entry {
            partition,
            seq: 1,
            name: "post.created".to_owned(),
            trace: None,
            body: vec![0; bytes],
        }
    }

    #[test]
    fn what_is_added_is_told_once() {
        let some: Vec<Partition> = Partition::all().step_by(9).collect();
        let appended = Appended::default();
        assert!(appended.next().now_or_never().is_none());
        for partition in &some {
            appended.add([event(*partition, 1)]);
        }
        let news = appended.next().now_or_never().unwrap();
        assert_eq!(news.events.len(), some.len());
        assert_eq!(news.others, PartitionSet::EMPTY);
        assert_eq!(news.grown(), some.into_iter().collect());
        assert!(appended.next().now_or_never().is_none());
    }

    #[test]
    fn what_there_is_no_room_for_is_named_until_it_was_asked_for() {
        let all: Vec<Partition> = Partition::all().collect();
        let appended = Appended::default();
        appended.add([event(all[0], MOST_BYTES / 2), event(all[1], MOST_BYTES)]);
        appended.add([event(all[2], MOST_BYTES / 4), event(all[3], MOST_BYTES / 4)]);
        appended.add([event(all[0], MOST_BYTES)]);
        let news = appended.next().now_or_never().unwrap();
        let kept: Vec<Partition> = news.events.iter().map(|event| event.partition).collect();
        assert_eq!(kept, [all[0], all[2]]);
        assert_eq!(news.others, [all[0], all[1], all[3]].into_iter().collect());
        assert_eq!(news.grown(), all[..4].iter().copied().collect());
        appended.add([event(all[4], MOST_BYTES / 2)]);
        assert_eq!(appended.next().now_or_never().unwrap().events.len(), 1);
    }

    #[test]
    fn what_is_said_is_understood() {
        let grown = PartitionSet::from_bits(5 << 40);
        assert_eq!(from_bytes(&to_bytes(grown)), grown);
        assert_eq!(from_bytes(b""), PartitionSet::ALL);
    }
}
