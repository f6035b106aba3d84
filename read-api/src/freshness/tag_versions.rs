//! The version at which each cache tag last changed.
//!
//! A version counter counts changes, and a table has the version of each tag's last change. A cache entry has the
//! version from before its load and the slots of its tags. It is fresh while none of its slots has a later version. A
//! load that began before a change and ended after it is therefore never fresh, whatever the order of the threads; no
//! other machine's clock is involved; and invalidating everything is one store. This is how optimistic concurrency
//! control validates a read set (Kung and Robinson, 1981).

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use feedmill_events::Tag;
use tokio::sync::watch;

/// 8 MiB. Two tags that share a slot cost needless loads, never a stale answer. A feed has about a hundred tags, so at
/// 1,000 changed tags a second one answer in ten is loaded needlessly each second.
const SLOTS: usize = 1 << 20;

/// Each group has the latest version of its 512 slots. 16 KiB, which stay in a processor's cache, while the table of all
/// slots does not. A recently checked entry is checked here first: few groups have changed since.
const GROUPS: usize = 1 << 11;

/// The place of a tag in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u32);

impl From<Tag> for Slot {
    fn from(tag: Tag) -> Self {
        Self((tag.bits() % SLOTS as u64) as u32)
    }
}

/// Cheap to clone; clones share the table.
#[derive(Debug, Clone)]
pub struct TagVersions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The last change that is completely recorded.
    current: AtomicU64,
    /// Held while a change is recorded.
    writing: Mutex<()>,
    slots: Box<[AtomicU64]>,
    groups: Box<[AtomicU64]>,
    /// The version of the last change of everything.
    floor: AtomicU64,
    subscribed: AtomicBool,
    changes: watch::Sender<u64>,
}

impl Default for TagVersions {
    /// Not subscribed.
    fn default() -> Self {
        Self(Arc::new(Inner {
            current: AtomicU64::new(0),
            writing: Mutex::new(()),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            groups: (0..GROUPS).map(|_| AtomicU64::new(0)).collect(),
            floor: AtomicU64::new(0),
            subscribed: AtomicBool::new(false),
            changes: watch::Sender::new(0),
        }))
    }
}

impl TagVersions {
    /// The current version. Must be taken before a load begins.
    pub fn current(&self) -> u64 {
        self.0.current.load(Ordering::SeqCst)
    }

    /// Whether a value that was loaded at `version` or later, from tags in these slots, equals what a load would give
    /// now. Always false while not subscribed.
    pub fn unchanged_since(&self, version: u64, slots: &[Slot]) -> bool {
        self.unchanged_since_check(version, version, slots)
    }

    /// The same for a value that was unchanged at the version `checked`. Costs nothing if nothing has changed since,
    /// and one read per slot from the small table otherwise.
    pub fn unchanged_since_check(&self, version: u64, checked: u64, slots: &[Slot]) -> bool {
        let inner = &*self.0;
        self.is_subscribed()
            && inner.floor.load(Ordering::SeqCst) <= version
            && (self.current() == checked
                || slots.iter().all(|slot| {
                    let slot = slot.0 as usize;
                    inner.groups[slot % GROUPS].load(Ordering::SeqCst) <= checked
                        || inner.slots[slot].load(Ordering::SeqCst) <= version
                }))
    }

    /// Whether announcements of changes are being received. If not, cached values cannot be checked and the cache is
    /// bypassed.
    pub fn is_subscribed(&self) -> bool {
        self.0.subscribed.load(Ordering::SeqCst)
    }

    /// Notifies of each new version.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    pub fn mark_changed(&self, tags: &[Tag]) {
        if tags.is_empty() {
            return;
        }
        self.record(|inner, version| {
            for tag in tags {
                let slot = Slot::from(*tag).0 as usize;
                inner.slots[slot].store(version, Ordering::SeqCst);
                inner.groups[slot % GROUPS].store(version, Ordering::SeqCst);
            }
        });
    }

    pub fn invalidate_all(&self) {
        metrics::counter!("cache_flushes_total").increment(1);
        self.record(|inner, version| inner.floor.store(version, Ordering::SeqCst));
    }

    /// Invalidates everything as well: any change may have been missed.
    pub fn set_subscribed(&self, subscribed: bool) {
        metrics::counter!("cache_flushes_total").increment(1);
        self.record(|inner, version| {
            inner.floor.store(version, Ordering::SeqCst);
            inner.subscribed.store(subscribed, Ordering::SeqCst);
        });
    }

    /// Advances the version only after everything is written, so that who has seen the version sees the change.
    fn record(&self, write: impl FnOnce(&Inner, u64)) {
        let inner = &*self.0;
        let _writing: MutexGuard<'_, ()> =
            inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.current() + 1;
        write(inner, version);
        inner.current.store(version, Ordering::SeqCst);
        inner.changes.send_replace(version);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tag(id: u128) -> Tag {
        Tag::account_summary(Uuid::from_u128(id))
    }

    fn subscribed() -> TagVersions {
        let versions = TagVersions::default();
        versions.set_subscribed(true);
        versions
    }

    #[test]
    fn a_value_is_unchanged_until_one_of_its_tags_changes() {
        let versions = subscribed();
        let slots = [tag(1).into()];
        let loaded = versions.current();
        versions.mark_changed(&[tag(2)]);
        assert!(versions.unchanged_since(loaded, &slots));
        let checked = versions.current();
        assert!(versions.unchanged_since_check(loaded, checked, &slots));
        versions.mark_changed(&[tag(2), tag(1)]);
        assert!(!versions.unchanged_since(loaded, &slots));
        assert!(!versions.unchanged_since_check(loaded, checked, &slots));
        assert!(versions.unchanged_since(versions.current(), &slots));
    }

    #[test]
    fn a_change_of_another_tag_in_the_same_group_changes_nothing() {
        let versions = subscribed();
        let slot = |id| Slot::from(tag(id));
        let group = |id| slot(id).0 as usize % GROUPS;
        let neighbor = (1..1_000_000).find(|id| group(*id) == group(0) && slot(*id) != slot(0));
        let checked = versions.current();
        versions.mark_changed(&[tag(neighbor.unwrap())]);
        assert!(versions.unchanged_since_check(checked, checked, &[slot(0)]));
        versions.mark_changed(&[tag(0)]);
        assert!(!versions.unchanged_since_check(checked, checked, &[slot(0)]));
    }

    #[test]
    fn nothing_is_unchanged_after_invalidate_all_or_while_not_subscribed() {
        let versions = TagVersions::default();
        assert!(!versions.unchanged_since(versions.current(), &[]));
        versions.set_subscribed(true);
        let loaded = versions.current();
        assert!(versions.unchanged_since(loaded, &[]));
        versions.invalidate_all();
        assert!(!versions.unchanged_since(loaded, &[]));
        let loaded = versions.current();
        versions.set_subscribed(false);
        versions.set_subscribed(true);
        assert!(!versions.unchanged_since(loaded, &[]));
    }
}
