//! A sequence number for every partition.

use std::ops::{Index, IndexMut};

use feedmill_events::{PARTITIONS, Partition};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offsets([i64; PARTITIONS as usize]);

impl Default for Offsets {
    /// Before the first event of every partition.
    fn default() -> Self {
        Self([0; PARTITIONS as usize])
    }
}

/// From rows of a partition and its sequence number. Unknown partitions are ignored, and missing ones are at 0.
impl FromIterator<(i16, i64)> for Offsets {
    fn from_iter<I: IntoIterator<Item = (i16, i64)>>(rows: I) -> Self {
        let mut offsets = Self::default();
        for (partition, seq) in rows {
            if let Ok(partition) = Partition::try_from(partition) {
                offsets[partition] = seq;
            }
        }
        offsets
    }
}

impl Index<Partition> for Offsets {
    type Output = i64;

    fn index(&self, partition: Partition) -> &i64 {
        &self.0[usize::from(partition.number())]
    }
}

impl IndexMut<Partition> for Offsets {
    fn index_mut(&mut self, partition: Partition) -> &mut i64 {
        &mut self.0[usize::from(partition.number())]
    }
}

/// The number of events after `from` and up to `to`. Partitions in which `to` is not ahead count as zero.
pub fn distance(from: &Offsets, to: &Offsets) -> i64 {
    Partition::all()
        .map(|partition| (to[partition] - from[partition]).max(0))
        .sum()
}
