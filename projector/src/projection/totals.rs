//! How many rows a batch adds to a table, by partition. A counter of one partition is changed by one projector only, and a sum over
//! all partitions reads 64 rows.

use std::collections::BTreeMap;

use feedmill_events::Partition;
use uuid::Uuid;

/// The changes by partition, without those that are 0. The ids carry their partitions.
pub fn by_partition(
    added: impl Iterator<Item = Uuid>,
    removed: impl Iterator<Item = Uuid>,
) -> BTreeMap<i16, i64> {
    let added = added.map(|id| (id, 1));
    let removed = removed.map(|id| (id, -1));
    let mut changes: BTreeMap<i16, i64> = BTreeMap::new();
    for (id, change) in added.chain(removed) {
        *changes.entry(Partition::of(id).into()).or_default() += change;
    }
    changes.retain(|_, change| *change != 0);
    changes
}
