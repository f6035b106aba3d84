//! Notifies the relay of commits: lanes notify the relay of their instance, and that relay notifies the leader.
//!
//! A lane hands its entries over, so that the relay need not read them from the log again. Entries beyond a limit are
//! dropped, and only their partitions are named: the log has them all.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use feedmill_events::PartitionSet;
use tokio::sync::Notify;

use crate::log::Entry;

/// How many bytes of entries wait for the relay.
const MAX_BYTES: usize = 1 << 20;
/// About how much memory an entry takes beside its body, in bytes.
const ENTRY_OVERHEAD: usize = 200;

/// A mailbox from the lanes to the relay.
#[derive(Debug, Default)]
pub struct CommitNotifier {
    pending: Mutex<Committed>,
    is_pending: Notify,
}

/// The commits since the last call of [`CommitNotifier::next`].
#[derive(Debug, Default)]
pub struct Committed {
    pub entries: Vec<Entry>,
    bytes: usize,
    /// Partitions with entries that were dropped.
    pub dropped: PartitionSet,
}

impl CommitNotifier {
    /// Adds the entries of a transaction. Call it after the commit.
    pub fn add(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut pending = self.lock();
        for entry in entries {
            let bytes = ENTRY_OVERHEAD + entry.body.len();
            if pending.bytes + bytes <= MAX_BYTES {
                pending.bytes += bytes;
                pending.entries.push(entry);
            } else {
                pending.dropped.insert(entry.partition);
            }
        }
        self.is_pending.notify_one();
    }

    /// Waits for a commit, and takes everything that is pending.
    pub async fn next(&self) -> Committed {
        self.is_pending.notified().await;
        mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Committed> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Committed {
    /// The partitions of all entries, whether or not they were dropped.
    pub fn partitions(&self) -> PartitionSet {
        let mut partitions: PartitionSet =
            self.entries.iter().map(|entry| entry.partition).collect();
        partitions.insert_all(self.dropped);
        partitions
    }
}

/// The message from one instance to another.
pub fn to_bytes(partitions: PartitionSet) -> [u8; 8] {
    partitions.bits().to_be_bytes()
}

/// A message that is not understood means every partition.
pub fn from_bytes(bytes: &[u8]) -> PartitionSet {
    let bits = bytes.try_into().map(u64::from_be_bytes);
    bits.map_or(PartitionSet::ALL, PartitionSet::from_bits)
}

#[cfg(test)]
mod tests {
    use feedmill_events::Partition;
    use futures::FutureExt as _;

    use super::*;

    fn entry(partition: Partition, bytes: usize) -> Entry {
        Entry {
            partition,
            seq: 1,
            name: "post.created".to_owned(),
            trace: None,
            body: vec![0; bytes],
        }
    }

    #[test]
    fn an_entry_is_handed_over_once() {
        let some: Vec<Partition> = Partition::all().step_by(9).collect();
        let notifier = CommitNotifier::default();
        assert!(notifier.next().now_or_never().is_none());
        for partition in &some {
            notifier.add([entry(*partition, 1)]);
        }
        let committed = notifier.next().now_or_never().unwrap();
        assert_eq!(committed.entries.len(), some.len());
        assert_eq!(committed.dropped, PartitionSet::EMPTY);
        assert_eq!(committed.partitions(), some.into_iter().collect());
        assert!(notifier.next().now_or_never().is_none());
    }

    #[test]
    fn the_partition_of_a_dropped_entry_is_named() {
        let all: Vec<Partition> = Partition::all().collect();
        let notifier = CommitNotifier::default();
        notifier.add([entry(all[0], MAX_BYTES / 2), entry(all[1], MAX_BYTES)]);
        notifier.add([entry(all[2], MAX_BYTES / 4), entry(all[3], MAX_BYTES / 4)]);
        notifier.add([entry(all[0], MAX_BYTES)]);
        let committed = notifier.next().now_or_never().unwrap();
        let entries = committed.entries.iter().map(|entry| entry.partition);
        assert_eq!(entries.collect::<Vec<_>>(), [all[0], all[2]]);
        let dropped = [all[0], all[1], all[3]].into_iter().collect();
        assert_eq!(committed.dropped, dropped);
        assert_eq!(committed.partitions(), all[..4].iter().copied().collect());
        notifier.add([entry(all[4], MAX_BYTES / 2)]);
        let committed = notifier.next().now_or_never().unwrap();
        assert_eq!(committed.entries.len(), 1, "there is room again");
    }

    #[test]
    fn a_message_reads_back_as_it_was_written() {
        let partitions = PartitionSet::from_bits(5 << 40);
        assert_eq!(from_bytes(&to_bytes(partitions)), partitions);
        assert_eq!(from_bytes(b""), PartitionSet::ALL);
    }
}
