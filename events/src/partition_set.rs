//! A set of partitions.

use crate::id::{PARTITIONS, Partition};

/// A set of partitions as a bit set.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PartitionSet(u64);

const _: () = assert!(PARTITIONS == 64, "one bit per partition");

impl PartitionSet {
    pub const EMPTY: Self = Self(0);
    pub const ALL: Self = Self(u64::MAX);

    pub fn has(self, partition: Partition) -> bool {
        self.0 & bit(partition) != 0
    }

    /// Whether a partition is in both sets.
    pub fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// In ascending order.
    pub fn iter(self) -> impl Iterator<Item = Partition> {
        Partition::all().filter(move |partition| self.has(*partition))
    }

    pub fn insert(&mut self, partition: Partition) {
        self.0 |= bit(partition);
    }

    pub fn insert_all(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub fn remove_all(&mut self, others: Self) {
        self.0 &= !others.0;
    }

    /// Partition 0 is the least significant bit.
    pub fn bits(self) -> u64 {
        self.0
    }

    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl From<Partition> for PartitionSet {
    fn from(partition: Partition) -> Self {
        Self(bit(partition))
    }
}

impl FromIterator<Partition> for PartitionSet {
    fn from_iter<I: IntoIterator<Item = Partition>>(partitions: I) -> Self {
        let mut set = Self::EMPTY;
        partitions
            .into_iter()
            .for_each(|partition| set.insert(partition));
        set
    }
}

fn bit(partition: Partition) -> u64 {
    1 << partition.number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_partitions_that_were_inserted_and_not_removed() {
        let all: Vec<Partition> = Partition::all().collect();
        let mut set: PartitionSet = [all[0], all[63]].into_iter().collect();
        assert!(set.has(all[0]) && set.has(all[63]) && !set.has(all[1]));
        assert_eq!(PartitionSet::from_bits(set.bits()), set);
        set.insert_all([all[1]].into_iter().collect());
        set.remove_all([all[0]].into_iter().collect());
        assert_eq!(set, [all[1], all[63]].into_iter().collect());
        assert_eq!(set.iter().collect::<Vec<_>>(), [all[1], all[63]]);
        assert!(set.intersects(all[63].into()) && !set.intersects(all[0].into()));
        assert_eq!(all.into_iter().collect::<PartitionSet>(), PartitionSet::ALL);
    }
}
