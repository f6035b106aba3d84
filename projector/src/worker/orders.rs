//! Which partitions the worker moves: those that are this instance's and that nobody has paused.

use std::collections::BTreeSet;

use feedmill_events::Partition;

use super::Worker;
use crate::{checkpoint, error::ApplyError};

impl Worker {
    /// Takes new orders, if there are any: leaves what is no longer to be moved where it is, and begins what
    /// is new from its checkpoint. Called between batches.
    pub(super) async fn obey(&mut self) -> Result<(), ApplyError> {
        if !self.job.orders.has_changed().unwrap_or(false) {
            return Ok(());
        }
        let orders = self.job.orders.borrow_and_update().clone();
        let opened = &orders.moving() - &self.orders.moving();
        self.orders = orders;
        self.blocked
            .retain(|partition, _| self.orders.owned.contains(partition));
        if !opened.is_empty() {
            self.reload(&opened).await?;
            self.load_blocked(&opened).await?;
            // It may be behind; what comes from the stream goes on from there.
            self.behind = true;
        }
        self.report();
        Ok(())
    }

    /// Reads the checkpoints of these partitions, which somebody else may have moved.
    pub(super) async fn reload(
        &mut self,
        partitions: &BTreeSet<Partition>,
    ) -> Result<(), ApplyError> {
        let (generation, places) =
            checkpoint::load(self.job.store.connection().await?, self.job.projection).await?;
        if generation != self.generation {
            return Err(ApplyError::Conflict);
        }
        for partition in partitions {
            self.done[*partition] = places[*partition];
        }
        Ok(())
    }

    pub(super) fn is_open(&self, partition: Partition) -> bool {
        self.orders.owned.contains(&partition)
            && !self.orders.paused.contains(&partition)
            && !self.blocked.contains_key(&partition)
    }

    /// The partitions that are worked on.
    pub(super) fn open(&self) -> impl Iterator<Item = Partition> {
        Partition::all().filter(|partition| self.is_open(*partition))
    }
}
