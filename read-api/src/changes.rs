//! What has changed since when: what a cached answer is checked against, and an open stream woken by.
//!
//! A clock counts changes, and a table keeps for each tag the clock's value at its last change. An answer keeps
//! the clock's value from before its load began and the slots of its tags, and is good for as long as none of
//! them is later than that. So a load that began before a change and ended after it is not good, whatever the
//! order in which threads come to it; no clock of another machine is asked; and forgetting everything is one
//! store. (Versioned read sets are how optimistic concurrency control validates: Kung and Robinson, 1981.)

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use feedmill_events::Tag;
use tokio::sync::watch;

/// 8 MiB. Two tags that share a slot cost a needless load. A feed has about a hundred, so at 1,000 changed tags
/// a second one answer in ten is loaded needlessly each second.
const SLOTS: usize = 1 << 20;

/// 16 KiB, which a processor has at hand, while each look at the table of all slots waits for memory. What was good a
/// moment ago is looked up here first: in a group of 512 slots hardly anything has changed since then.
const GROUPS: usize = 1 << 11;

/// A tag's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u32);

/// Cheap to clone; clones share what they know.
#[derive(Debug, Clone)]
pub struct Changes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The last change that is written down whole.
    clock: AtomicU64,
    /// Of whoever writes a change down.
    writing: Mutex<()>,
    changed: Box<[AtomicU64]>,
    groups: Box<[AtomicU64]>,
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
            writing: Mutex::new(()),
            changed: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            groups: (0..GROUPS).map(|_| AtomicU64::new(0)).collect(),
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
        self.unchanged_still(began, began, slots)
    }

    /// The same of what was unchanged when the clock was `looked`: only what has changed since then is looked at.
    pub fn unchanged_still(&self, began: u64, looked: u64, slots: &[Slot]) -> bool {
        let inner = &*self.0;
        self.hearing()
            && inner.floor.load(Ordering::SeqCst) <= began
            && (self.now() == looked
                || slots.iter().all(|slot| {
                    let slot = slot.0 as usize;
                    inner.groups[slot % GROUPS].load(Ordering::SeqCst) <= looked
                        || inner.changed[slot].load(Ordering::SeqCst) <= began
                }))
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
        self.write_down(|inner, change| {
            for tag in tags {
                let slot = Self::slot(*tag).0 as usize;
                inner.changed[slot].store(change, Ordering::SeqCst);
                inner.groups[slot % GROUPS].store(change, Ordering::SeqCst);
            }
        });
    }

    pub(crate) fn everything(&self) {
        metrics::counter!("cache_flushes_total").increment(1);
        self.write_down(|inner, change| inner.floor.store(change, Ordering::SeqCst));
    }

    /// What was missed until now may be anything.
    pub(crate) fn set_hearing(&self, hearing: bool) {
        metrics::counter!("cache_flushes_total").increment(1);
        self.write_down(|inner, change| {
            inner.floor.store(change, Ordering::SeqCst);
            inner.hearing.store(hearing, Ordering::SeqCst);
        });
    }

    /// The clock goes on when everything is written, so that what was looked at by then has seen it.
    fn write_down(&self, write: impl FnOnce(&Inner, u64)) {
        let inner = &*self.0;
        let _writing: MutexGuard<'_, ()> =
            inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let change = self.now() + 1;
        write(inner, change);
        inner.clock.store(change, Ordering::SeqCst);
        inner.news.send_replace(change);
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
        let [mine, other] = [1, 2].map(|id| Tag::account_summary(Uuid::from_u128(id)));
        let slots = [Changes::slot(mine)];
        let began = changes.now();
        changes.these(&[other]);
        assert!(changes.unchanged_since(began, &slots));
        let looked = changes.now();
        assert!(changes.unchanged_still(began, looked, &slots));
        changes.these(&[other, mine]);
        assert!(!changes.unchanged_since(began, &slots));
        assert!(!changes.unchanged_still(began, looked, &slots));
        assert!(changes.unchanged_since(changes.now(), &slots));
    }

    #[test]
    fn a_change_of_another_tag_in_the_same_group_is_none() {
        let changes = Changes::default();
        changes.set_hearing(true);
        let slots = |id: u128| Changes::slot(Tag::account_summary(Uuid::from_u128(id)));
        let mine = slots(0);
        let same_group = |slot: Slot| slot.0 as usize % GROUPS == mine.0 as usize % GROUPS;
        let other = (1..1_000_000).find(|id| same_group(slots(*id)) && slots(*id) != mine);
        let [mine_tag, other] =
            [0, other.unwrap()].map(|id| Tag::account_summary(Uuid::from_u128(id)));
        let looked = changes.now();
        changes.these(&[other]);
        assert!(changes.unchanged_still(looked, looked, &[mine]));
        changes.these(&[mine_tag]);
        assert!(!changes.unchanged_still(looked, looked, &[mine]));
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
