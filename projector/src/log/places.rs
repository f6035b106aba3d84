//! A sequence number for every partition.

use std::ops::{Index, IndexMut};

use feedmill_events::{PARTITIONS, Partition};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places([i64; PARTITIONS as usize]);

impl Default for Places {
    fn default() -> Self {
        Self([0; PARTITIONS as usize])
    }
}

impl Index<Partition> for Places {
    type Output = i64;

    fn index(&self, partition: Partition) -> &i64 {
        &self.0[usize::from(partition.number())]
    }
}

impl IndexMut<Partition> for Places {
    fn index_mut(&mut self, partition: Partition) -> &mut i64 {
        &mut self.0[usize::from(partition.number())]
    }
}
