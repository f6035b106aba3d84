//! What is known of each projection.

use std::sync::{Mutex, MutexGuard, PoisonError};

use feedmill_events::{Advance, PARTITIONS, Partition, Projection};

/// A projection's live generation, by partitions.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// None until the checkpoints were read.
    pub generation: Option<i32>,
    places: [Place; PARTITIONS as usize],
}

/// Sequence numbers of a partition's events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// All up to this one are applied.
    pub reached: i64,
    /// And for all up to this one, what they changed has been noted.
    pub heard: i64,
    /// The checkpoint that the last look found.
    pub looked: i64,
}

impl Known {
    const NOTHING: Self = Self::begun(None);

    pub const fn begun(generation: Option<i32>) -> Self {
        let nothing = Place {
            reached: 0,
            heard: 0,
            looked: 0,
        };
        Self {
            generation,
            places: [nothing; PARTITIONS as usize],
        }
    }

    pub fn place(&mut self, partition: Partition) -> &mut Place {
        &mut self.places[usize::from(partition.number())]
    }

    pub fn reached(&self, partition: Partition) -> i64 {
        self.places[usize::from(partition.number())].reached
    }

    pub fn heard(&self, partition: Partition) -> i64 {
        self.places[usize::from(partition.number())].heard
    }

    /// Takes over an announcement; false if one before it was missed.
    pub fn hear(&mut self, moved: Advance) -> bool {
        let place = self.place(moved.partition);
        let continues = moved.from <= place.heard;
        place.reached = place.reached.max(moved.to);
        place.heard = place.heard.max(moved.to);
        continues
    }
}

/// All projections.
#[derive(Debug)]
pub struct Table(Mutex<[Known; Projection::ALL.len()]>);

impl Default for Table {
    fn default() -> Self {
        Self(Mutex::new([Known::NOTHING; Projection::ALL.len()]))
    }
}

impl Table {
    pub fn lock(&self) -> MutexGuard<'_, [Known; Projection::ALL.len()]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
