//! What has changed since when: what a cached answer is checked against, and an open stream woken by.
//!
//! A clock counts changes, and a table keeps for each tag the clock's value at its last change. An answer keeps
//! the clock's value from before its load began and the slots of its tags, and is good for as long as none of
//! them is later than that. So a load that began before a change and ended after it is not good, whatever the
//! order in which threads come to it; no clock of another machine is asked; and forgetting everything is one
//! store. (Versioned read sets are how optimistic concurrency control validates: Kung and Robinson, 1981.)

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use feedmill_events::Tag;
use tokio::sync::watch;

/// 8 MiB. Two tags that share a slot cost a needless load. A feed has about a hundred, so at 1,000 changed tags
/// a second one answer in ten is loaded needlessly each second.
const SLOTS: usize = 1 << 20;

/// A tag's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u32);

/// Cheap to clone; clones share what they know.
#[derive(Debug, Clone)]
pub struct Changes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: AtomicU64,
    /// How many changes are written down whole.
    settled: AtomicU64,
    changed: Box<[AtomicU64]>,
    /// When everything was last said to have changed.
    floor: AtomicU64,
    /// Whether changes are being heard of at all.
    hearing: AtomicBool,
    news: watch::Sender<u64>,
}

impl Default for Changes {
    /// Hears nothing yet.
    fn default() -> Self {
        Self(Arc::new(Inner {
            clock: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            changed: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            floor: AtomicU64::new(0),
            hearing: AtomicBool::new(false),
            news: watch::Sender::new(0),
        }))
    }
}

impl Changes {
    pub fn slot(tag: Tag) -> Slot {
        Slot((tag.bits() % SLOTS as u64) as u32)
    }

    /// To be taken before a load begins.
    pub fn now(&self) -> u64 {
        self.0.clock.load(Ordering::SeqCst)
    }

    /// Whether what was loaded from tags of these slots, and not before `began`, is still what a load would
    /// give. Never while changes are not heard of.
    pub fn unchanged_since(&self, began: u64, slots: &[Slot]) -> bool {
        self.hearing()
            && self.0.floor.load(Ordering::SeqCst) <= began
            && slots
                .iter()
                .all(|slot| self.0.changed[slot.0 as usize].load(Ordering::SeqCst) <= began)
    }

    /// Differs from what it was whenever something changed in between. What was found
    /// unchanged after this was taken is so for as long as this is the same, without another look.
    pub fn settled(&self) -> u64 {
        self.0.settled.load(Ordering::SeqCst)
    }

    /// Whether changes are being heard of: if not, only the tables tell what is.
    pub fn hearing(&self) -> bool {
        self.0.hearing.load(Ordering::SeqCst)
    }

    /// The clock, whenever something has changed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.news.subscribe()
    }

    pub(crate) fn these(&self, tags: &[Tag]) {
        if tags.is_empty() {
            return;
        }
        let now = self.tick();
        for tag in tags {
            let slot = Self::slot(*tag);
            self.0.changed[slot.0 as usize].fetch_max(now, Ordering::SeqCst);
        }
        self.settle();
        self.0.news.send_replace(now);
    }

    pub(crate) fn everything(&self) {
        metrics::counter!("cache_flushes_total").increment(1);
        let now = self.tick();
        self.0.floor.fetch_max(now, Ordering::SeqCst);
        self.settle();
        self.0.news.send_replace(now);
    }

    /// What was missed until now may be anything.
    pub(crate) fn set_hearing(&self, hearing: bool) {
        self.everything();
        self.0.hearing.store(hearing, Ordering::SeqCst);
        self.settle();
    }

    fn settle(&self) {
        self.0.settled.fetch_add(1, Ordering::SeqCst);
    }

    fn tick(&self) -> u64 {
        self.0.clock.fetch_add(1, Ordering::SeqCst) + 1
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_answer_is_good_until_one_of_its_tags_changes() {
        let changes = Changes::default();
        changes.set_hearing(true);
        let [mine, other] = [1, 2].map(|id| Tag::card(Uuid::from_u128(id)));
        let slots = [Changes::slot(mine)];
        let began = changes.now();
        changes.these(&[other]);
        assert!(changes.unchanged_since(began, &slots));
        changes.these(&[other, mine]);
        assert!(!changes.unchanged_since(began, &slots));
        assert!(changes.unchanged_since(changes.now(), &slots));
    }

    #[test]
    fn nothing_is_good_after_a_flush_or_while_nothing_is_heard() {
        let changes = Changes::default();
        assert!(!changes.unchanged_since(changes.now(), &[]));
        changes.set_hearing(true);
        let began = changes.now();
        assert!(changes.unchanged_since(began, &[]));
        changes.everything();
        assert!(!changes.unchanged_since(began, &[]));
        let began = changes.now();
        changes.set_hearing(false);
        changes.set_hearing(true);
        assert!(!changes.unchanged_since(began, &[]));
    }
}
