//! A batch: many commands in one transaction, decided in order. Lanes and the import both write through it.
//!
//! The heads of its partitions are locked first, then the state is read, so what is decided is decided on what
//! is true until the commit. (Locking last would hold the lock for a shorter time, but then a like could be
//! decided on a post that another process deletes meanwhile, and its event would come after the deletion.)

use std::collections::BTreeSet;

use feedmill_events::{Envelope, Partition, Positions, envelope::EncodeError};
use sqlx::{Acquire, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::{
    domain::{self, Command, Moment, Needs, Outcome, Rejection, State},
    store::{
        load,
        log::{self, Entries, Entry, Heads},
        save::Changes,
    },
};

pub struct Batch<'c> {
    transaction: Transaction<'c, Postgres>,
    heads: Heads,
    state: State,
    changes: Changes,
    entries: Entries,
}

#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl<'c> Batch<'c> {
    /// Begins a transaction and locks the partitions.
    pub async fn open(
        connection: &'c mut PgConnection,
        partitions: &BTreeSet<Partition>,
    ) -> sqlx::Result<Self> {
        let mut transaction = connection.begin().await?;
        let heads = Heads::lock(&mut transaction, partitions).await?;
        Ok(Self {
            transaction,
            heads,
            state: State::default(),
            changes: Changes::default(),
            entries: Entries::default(),
        })
    }

    /// Reads what commands need: before the first of them is decided, since it reads what the transaction found
    /// and not what it has decided so far.
    pub async fn load(&mut self, needs: &Needs) -> sqlx::Result<()> {
        load::state(&mut self.transaction, needs, &mut self.state).await
    }

    /// The transaction, for what is written beside events: answers to idempotency keys, an import's records.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Decides one command on the state as the ones before it left it. The position is that of its event, or of
    /// the partition's head where it already was so: reading from there on sees it either way.
    pub fn decide(
        &mut self,
        actor: Uuid,
        command: &Command,
        moment: Moment,
        trace: Option<&str>,
    ) -> Result<(Outcome, Positions), DecideError> {
        let decision = domain::decide(&self.state, actor, command, moment)?;
        let partition = command.partition(actor);
        let mut positions = Positions::single(partition, self.heads.current(partition));
        for event in decision.events {
            let partition = event.partition();
            let envelope = Envelope {
                at: moment.millis,
                event,
            };
            let seq = self.heads.current(partition) + 1;
            self.entries.push(partition, seq, &envelope, trace)?;
            self.heads.advance(partition);
            self.state.apply(moment.millis, &envelope.event);
            self.changes.include(moment.millis, &envelope.event);
            positions.include(partition, seq);
        }
        if let (
            Command::CreateAccount {
                password_hash: Some(hash),
                ..
            },
            Outcome::Account { card, .. },
        ) = (command, &decision.outcome)
        {
            self.changes.include_password(card.id, hash.clone());
        }
        Ok((decision.outcome, positions))
    }

    /// Writes state and log, and commits. Returns the events that were appended. After an error nothing was
    /// written, unless the connection was lost while committing: then nobody knows.
    pub async fn commit(mut self) -> sqlx::Result<Vec<Entry>> {
        self.changes.save(&mut self.transaction).await?;
        let appended = log::append(&mut self.transaction, self.entries).await?;
        self.transaction.commit().await?;
        Ok(appended)
    }
}
