//! How far each projection is, by partition.

use std::sync::{Mutex, MutexGuard, PoisonError};

use feedmill_events::{Advance, PARTITIONS, Partition, Positions, Projection};

/// The live generation of a projection.
#[derive(Debug, Clone, Copy)]
pub struct LiveGeneration {
    /// None until the checkpoints were read.
    pub generation: Option<i32>,
    partitions: [PartitionState; PARTITIONS as usize],
}

/// Sequence numbers of a partition's events.
#[derive(Debug, Clone, Copy)]
pub struct PartitionState {
    /// All events up to this one are applied.
    pub applied: i64,
    /// The changes of all events up to this one are recorded in the tag versions.
    pub recorded: i64,
    /// The checkpoint at the last poll.
    pub polled: i64,
}

impl LiveGeneration {
    const UNKNOWN: Self = Self::new(None);

    pub const fn new(generation: Option<i32>) -> Self {
        let start = PartitionState {
            applied: 0,
            recorded: 0,
            polled: 0,
        };
        Self {
            generation,
            partitions: [start; PARTITIONS as usize],
        }
    }

    pub fn partition(&mut self, partition: Partition) -> &mut PartitionState {
        &mut self.partitions[usize::from(partition.number())]
    }

    pub fn has_applied(&self, positions: &Positions) -> bool {
        self.all(positions, |state, seq| state.applied >= seq)
    }

    pub fn has_recorded(&self, positions: &Positions) -> bool {
        self.all(positions, |state, seq| state.recorded >= seq)
    }

    fn all(&self, positions: &Positions, holds: impl Fn(&PartitionState, i64) -> bool) -> bool {
        let state = |partition: Partition| &self.partitions[usize::from(partition.number())];
        positions
            .iter()
            .all(|(partition, seq)| holds(state(partition), seq))
    }

    /// Applies an announced advance; false if an earlier one was lost.
    pub fn advance(&mut self, advance: Advance) -> bool {
        let state = self.partition(advance.partition);
        let continues = advance.from <= state.recorded;
        state.applied = state.applied.max(advance.to);
        state.recorded = state.recorded.max(advance.to);
        continues
    }
}

/// Sequence numbers by projection and partition.
pub type Checkpoints = [[i64; PARTITIONS as usize]; Projection::ALL.len()];

/// The live generations of all projections, indexed by `Projection as usize`.
#[derive(Debug)]
pub struct LiveGenerations(Mutex<[LiveGeneration; Projection::ALL.len()]>);

impl Default for LiveGenerations {
    fn default() -> Self {
        Self(Mutex::new([LiveGeneration::UNKNOWN; Projection::ALL.len()]))
    }
}

impl LiveGenerations {
    /// The checkpoints of the last poll.
    pub fn polled(&self) -> Box<Checkpoints> {
        let polled = self
            .lock()
            .map(|live| live.partitions.map(|state| state.polled));
        Box::new(polled)
    }

    /// Whether all changes up to these checkpoints are recorded.
    pub fn recorded(&self, checkpoints: &Checkpoints) -> bool {
        let live = self.lock();
        let partitions = live.iter().flat_map(|live| live.partitions);
        partitions
            .zip(checkpoints.as_flattened())
            .all(|(state, seq)| state.recorded >= *seq)
    }

    pub fn lock(&self) -> MutexGuard<'_, [LiveGeneration; Projection::ALL.len()]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
