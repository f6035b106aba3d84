//! The types that describe a projection.

use std::{fmt, time::Duration};

use feedmill_events::{Event, EventType, Projection, Tag};
use futures::future::BoxFuture;
use sqlx::PgConnection;

use crate::{batch::Batch, error::ApplyError, migrations::Migration};

/// How one read model is computed from the log.
pub struct Definition {
    pub projection: Projection,
    /// What creates its tables, in order.
    pub migrations: &'static [Migration],
    /// The types of the events that `apply` is given.
    pub event_types: &'static [EventType],
    /// Whether an event of these types can change the tables. A stream of irrelevant events costs no transactions; in
    /// a batch with relevant ones, `apply` is given both.
    pub is_relevant: fn(&Event) -> bool,
    /// The minimum time between the starts of two transactions while events keep coming. Larger values batch more
    /// events into one transaction. An event that comes after a longer pause is applied at once.
    pub min_interval: Duration,
    /// Applies a batch that continues the checkpoint, in the transaction that moves the checkpoint.
    pub apply: Apply,
    pub rebuild: Rebuild,
}

/// How filling an empty schema from the whole log differs from applying live events.
#[derive(Debug)]
pub struct Rebuild {
    /// The names of the secondary indexes that `apply` needs. A rebuild creates all others after the bulk load.
    pub indexes: &'static [&'static str],
    pub derived: Option<Derived>,
}

impl Rebuild {
    /// For a projection whose `apply` finds all rows by primary key.
    pub const PLAIN: Self = Self {
        indexes: &[],
        derived: None,
    };
}

/// Tables that can be computed from the projection's other tables in a few statements. Their content may depend on
/// settings and on how they were filled, as long as it is consistent with the other tables.
#[derive(Debug)]
pub struct Derived {
    pub tables: &'static [&'static str],
    /// Columns of the other tables that depend on settings and that no reader sees.
    pub columns: &'static [&'static str],
    /// The projection's `apply` without these tables.
    pub apply: Apply,
    /// Fills the tables from the others.
    pub derive: Derive,
    /// Finds inconsistencies with the other tables.
    pub check: Check,
}

/// The flag asks for small steps with pauses, because commands are coming in.
pub type Derive =
    for<'a> fn(&'a Context, bool, &'a mut PgConnection) -> BoxFuture<'a, Result<(), ApplyError>>;

/// Returns at most the given number of lines, each of which describes one inconsistency.
pub type Check = for<'a> fn(i64, &'a mut PgConnection) -> BoxFuture<'a, sqlx::Result<Vec<String>>>;

/// Returns the tags of everything that the batch changed, in any order and possibly repeated: each response that is
/// different afterwards depends on at least one of them.
pub type Apply = for<'a> fn(
    &'a Batch,
    &'a Context,
    &'a mut PgConnection,
) -> BoxFuture<'a, Result<Vec<Tag>, ApplyError>>;

impl Definition {
    /// The name of the projection, its schema and its NATS subject.
    pub fn name(&self) -> &'static str {
        self.projection.name()
    }

    /// `apply` for the bulk load of a rebuild: without derived tables and with few indexes.
    pub fn bulk_apply(&self) -> Apply {
        let derived = self.rebuild.derived.as_ref();
        derived.map_or(self.apply, |derived| derived.apply)
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Settings that change what is stored, but never what a reader sees.
#[derive(Debug, Clone)]
pub struct Context {
    /// The minimum number of posts stored per feed.
    pub feed_depth: i64,
    /// The posts of an author with more followers are stored in no feed; readers find them by their author.
    pub fanout_max_followers: i64,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            feed_depth: 1_000,
            fanout_max_followers: 10_000,
        }
    }
}
