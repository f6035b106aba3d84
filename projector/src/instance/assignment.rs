//! The partitions that an instance projects.

use std::collections::BTreeSet;

use feedmill_events::Partition;

/// What an instance is assigned of one projection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The partitions that it owns.
    pub owned: BTreeSet<Partition>,
    /// Those of them that an operator has paused.
    pub paused: BTreeSet<Partition>,
}

impl Assignment {
    /// All partitions, for an instance without others.
    pub fn all() -> Self {
        Self {
            owned: Partition::all().collect(),
            paused: BTreeSet::new(),
        }
    }

    /// The partitions to project.
    pub fn active(&self) -> BTreeSet<Partition> {
        &self.owned - &self.paused
    }
}
