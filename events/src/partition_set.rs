//! Some of the partitions.

use crate::{PARTITIONS, Partition};

/// A set of partitions, a bit for each.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PartitionSet(u64);

const _: () = assert!(PARTITIONS == 64, "a bit for each");

impl PartitionSet {
    pub const EMPTY: Self = Self(0);
    pub const ALL: Self = Self(u64::MAX);

    pub fn has(self, partition: Partition) -> bool {
        self.0 & bit(partition) != 0
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

    /// The first partition is the last bit.
    pub fn bits(self) -> u64 {
        self.0
    }

    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
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
    fn has_what_was_put_in_and_not_taken_out() {
        let each: Vec<Partition> = Partition::all().collect();
        let mut set: PartitionSet = [each[0], each[63]].into_iter().collect();
        assert!(set.has(each[0]) && set.has(each[63]) && !set.has(each[1]));
        assert_eq!(PartitionSet::from_bits(set.bits()), set);
        set.insert_all([each[1]].into_iter().collect());
        set.remove_all([each[0]].into_iter().collect());
        assert_eq!(set, [each[1], each[63]].into_iter().collect());
        assert_eq!(
            each.into_iter().collect::<PartitionSet>(),
            PartitionSet::ALL
        );
    }
}
