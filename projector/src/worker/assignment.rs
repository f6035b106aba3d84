//! Takes over and gives up partitions.

use std::collections::BTreeSet;

use feedmill_events::Partition;

use super::state::Worker;
use crate::{checkpoint, error::ApplyError};

impl Worker {
    /// Applies a changed assignment, if there is one: stops projecting partitions that are no longer assigned, and
    /// continues new ones from their checkpoints. Called between batches.
    pub(super) async fn apply_assignment(&mut self) -> Result<(), ApplyError> {
        if !self.job.assignment.has_changed().unwrap_or(false) {
            return Ok(());
        }
        let assignment = self.job.assignment.borrow_and_update().clone();
        let added = &assignment.active() - &self.assignment.active();
        self.assignment = assignment;
        self.blocked
            .retain(|partition, _| self.assignment.owned.contains(partition));
        if !added.is_empty() {
            self.load_checkpoints(&added).await?;
            self.load_blocked(&added).await?;
            self.must_catch_up = true;
        }
        self.report_health();
        Ok(())
    }

    /// Loads the checkpoints of these partitions, which another instance or an operator may have moved.
    pub(super) async fn load_checkpoints(
        &mut self,
        partitions: &BTreeSet<Partition>,
    ) -> Result<(), ApplyError> {
        let db = self.job.connection.get().await?;
        let (generation, checkpoints) = checkpoint::load(db, self.job.projection).await?;
        if generation != self.generation {
            return Err(ApplyError::Conflict);
        }
        for partition in partitions {
            self.checkpoints[*partition] = checkpoints[*partition];
        }
        Ok(())
    }
}
