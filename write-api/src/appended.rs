//! Word that the log has grown: from the lanes to the relay, and from one instance's relay to the leader's.

use std::sync::atomic::{AtomicU64, Ordering};

use feedmill_events::PartitionSet;
use tokio::sync::Notify;

/// Which partitions have grown since somebody last asked.
#[derive(Debug, Default)]
pub struct Appended {
    grown: AtomicU64,
    news: Notify,
}

impl Appended {
    /// After the commit.
    pub fn add(&self, grown: PartitionSet) {
        self.grown.fetch_or(grown.bits(), Ordering::SeqCst);
        self.news.notify_one();
    }

    /// Waits until there are any.
    pub async fn grown(&self) -> PartitionSet {
        self.news.notified().await;
        PartitionSet::from_bits(self.grown.swap(0, Ordering::SeqCst))
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

    #[test]
    fn what_is_added_is_told_once() {
        let some: Vec<Partition> = Partition::all().step_by(9).collect();
        let appended = Appended::default();
        assert_eq!(appended.grown().now_or_never(), None);
        for partition in &some {
            appended.add([*partition].into_iter().collect());
        }
        let grown = appended.grown().now_or_never().unwrap();
        assert_eq!(grown, some.into_iter().collect());
        assert_eq!(appended.grown().now_or_never(), None);
    }

    #[test]
    fn what_is_said_is_understood() {
        let grown = PartitionSet::from_bits(5 << 40);
        assert_eq!(from_bytes(&to_bytes(grown)), grown);
        assert_eq!(from_bytes(b""), PartitionSet::ALL);
    }
}
