//! A batch: commands that are decided in order and committed in one transaction. Lanes and the import write through it.
//!
//! The heads of its partitions are locked before the state is read, so each decision holds until the commit. Locking last
//! would hold the lock for a shorter time, but then a like could be decided on a post that another process is deleting, and
//! its event would follow the deletion.

use feedmill_events::{EncodeError, Envelope, EventType, Partition, PartitionSet, Positions};
use sqlx::{Acquire, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    domain::{Command, Moment, Outcome, Rejection, State, storage},
    log::{self, Entry, Heads, NewEntries},
};

pub struct Batch<'c> {
    transaction: Transaction<'c, Postgres>,
    heads: Heads,
    state: State,
    entries: NewEntries,
}

/// An accepted command.
pub struct Decided {
    pub outcome: Outcome,
    pub positions: Positions,
    /// Whether it has events.
    pub changed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A defect: the head of the event's partition is not locked for this command.
    #[error("the event {event} is in partition {partition}, which its command did not lock")]
    NotLocked {
        event: EventType,
        partition: Partition,
    },
}

impl<'c> Batch<'c> {
    /// Begins a transaction and locks the heads of the partitions.
    pub async fn open(
        connection: &'c mut PgConnection,
        partitions: PartitionSet,
    ) -> sqlx::Result<Self> {
        let mut transaction = connection.begin().await?;
        let heads = Heads::lock(&mut transaction, partitions).await?;
        Ok(Self {
            transaction,
            heads,
            state: State::default(),
            entries: NewEntries::default(),
        })
    }

    /// The state, to request rows of it and, after [`Batch::load`], to read them.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// Loads the rows that were requested. Call it before the first decision, because it reads the stored rows.
    pub async fn load(&mut self) -> sqlx::Result<()> {
        storage::load(&mut self.transaction, &mut self.state).await
    }

    /// The transaction, to store answers to idempotency keys and an import's records in it.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Decides a command on the state as the earlier ones left it. The position is that of its events or, if it changes
    /// nothing, the heads of its partitions, because a read at that position sees the state either way.
    pub fn decide(
        &mut self,
        actor: Uuid,
        command: &Command,
        moment: Moment,
        trace: Option<&str>,
    ) -> Result<Decided, DecideError> {
        let decision = command.decide(&self.state, actor, moment)?;
        let locked = command.partitions(actor);
        let changed = !decision.events.is_empty();
        let mut positions = self.position(locked);
        for event in decision.events {
            let partition = event.partition();
            if !locked.has(partition) {
                return Err(DecideError::NotLocked {
                    event: event.event_type(),
                    partition,
                });
            }
            let at = moment.millis;
            let envelope = Envelope { at, event };
            let seq = self.heads.current(partition) + 1;
            // Before the head moves: an event that cannot be encoded must not leave a gap.
            self.entries.push(partition, seq, &envelope, trace)?;
            self.heads.advance(partition);
            self.state.apply(at, &envelope.event);
            positions.include(partition, seq);
        }
        if let Some((account, hash)) = decision.password_hash {
            self.state.add_password_hash(account, hash);
        }
        Ok(Decided {
            outcome: decision.outcome,
            positions,
            changed,
        })
    }

    /// The heads of locked partitions.
    pub fn position(&self, partitions: PartitionSet) -> Positions {
        let mut positions = Positions::default();
        for partition in partitions.iter() {
            positions.include(partition, self.heads.current(partition));
        }
        positions
    }

    /// Saves the state, appends the events and commits. Returns the appended entries. After an error nothing is stored,
    /// unless the connection was lost during the commit: then the outcome is unknown.
    pub async fn commit(mut self) -> sqlx::Result<Vec<Entry>> {
        storage::save(&mut self.transaction, self.state).await?;
        let appended = log::append(&mut self.transaction, self.entries).await?;
        self.transaction.commit().await?;
        Ok(appended)
    }
}
