//! Word that the log has grown: from the lanes to the relay, and from one instance's relay to the leader's.

use std::sync::atomic::{AtomicU64, Ordering};

use feedmill_events::{PARTITIONS, Partition};
use tokio::sync::Notify;

/// A set of partitions, a bit for each.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Grown(u64);

const _: () = assert!(PARTITIONS == 64, "a bit for each");

impl Grown {
    pub const ALL: Self = Self(u64::MAX);

    pub fn has(self, partition: Partition) -> bool {
        self.0 >> u8::from(partition) & 1 == 1
    }

    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Whatever is not understood may mean any.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        bytes
            .try_into()
            .map_or(Self::ALL, |bytes| Self(u64::from_be_bytes(bytes)))
    }
}

impl FromIterator<Partition> for Grown {
    fn from_iter<I: IntoIterator<Item = Partition>>(partitions: I) -> Self {
        let bits = partitions.into_iter().map(|p| 1 << u8::from(p));
        Self(bits.fold(0, |all, bit: u64| all | bit))
    }
}

/// Which partitions have grown since somebody last asked.
#[derive(Debug, Default)]
pub struct Appended {
    grown: AtomicU64,
    news: Notify,
}

impl Appended {
    /// After the commit.
    pub fn add(&self, grown: Grown) {
        self.grown.fetch_or(grown.0, Ordering::SeqCst);
        self.news.notify_one();
    }

    /// Waits until there are any.
    pub async fn grown(&self) -> Grown {
        self.news.notified().await;
        Grown(self.grown.swap(0, Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn what_is_added_is_told_once() {
        let [one, other] = [
            Partition::try_from(0_u8).unwrap(),
            Partition::try_from(63_u8).unwrap(),
        ];
        let appended = Appended::default();
        assert_eq!(appended.grown().now_or_never(), None);
        appended.add(Grown::from_iter([one]));
        appended.add(Grown::from_iter([other]));
        let grown = appended.grown().now_or_never().unwrap();
        assert!(grown.has(one) && grown.has(other));
        assert!(!grown.has(Partition::try_from(1_u8).unwrap()));
        assert_eq!(appended.grown().now_or_never(), None);
    }

    #[test]
    fn what_is_said_is_understood() {
        let grown = Grown(5 << 40);
        assert_eq!(Grown::from_bytes(&grown.to_bytes()), grown);
        assert_eq!(Grown::from_bytes(b""), Grown::ALL);
    }
}
