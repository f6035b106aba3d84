//! What a projection is: a name, tables, the event types it wants, and how a batch of them is applied.
//!
//! Each one folds a batch in memory, in the log's order, to its net changes (`fold.rs`), and applies those by
//! a fixed sequence of set-based statements (`sql.rs`), whose number does not depend on the batch's size.
//! Whose answers are others than before then follows from the same changes (`tags.rs`).
//! Nothing here names a schema: the connection's `search_path` chooses, so that a rebuild can fill another
//! one with the same code. Nothing here reads a clock or another projection's tables.

pub mod conversations;
pub mod digest;
pub mod feed;
mod net;
pub mod notifications;
pub mod profiles;

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use feedmill_events::{Event, EventType, Projection, Tag, id};
use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{batch::Batch, error::ApplyError};

/// The definition of every projection of the registry.
pub static ALL: [&Definition; Projection::ALL.len()] = [
    &profiles::DEFINITION,
    &feed::DEFINITION,
    &digest::DEFINITION,
    &conversations::DEFINITION,
    &notifications::DEFINITION,
];

pub struct Definition {
    pub projection: Projection,
    /// Its tables, in order.
    pub migrations: &'static [Migration],
    /// The types of the events that it is given.
    pub event_types: &'static [EventType],
    /// Whether such an event can change anything. One that cannot needs no transaction of its own when it comes by
    /// itself; in a batch it comes to `apply` like the others.
    pub concerns: fn(&Event) -> bool,
    /// How long after a step the next one begins at the earliest: what comes meanwhile shares a transaction. At once,
    /// if nothing came for so long.
    pub pace: Duration,
    /// Applies a batch that continues the checkpoint. Called in a transaction that also moves it.
    pub apply: Apply,
    /// What filling an empty schema with the whole log does otherwise.
    pub rebuild: Rebuild,
}

/// What a rebuild has to know of a projection.
#[derive(Debug)]
pub struct Rebuild {
    /// Names of the indexes, beside primary keys, by which `apply` finds rows. The others are made at the end.
    pub indexes: &'static [&'static str],
    pub derived: Option<Derived>,
}

impl Rebuild {
    /// Nothing otherwise, for tables that primary keys are enough for.
    pub const PLAIN: Self = Self {
        indexes: &[],
        derived: None,
    };
}

/// Tables that follow from the projection's other tables, so that they can be made from those at once. What
/// they hold may depend on how they were filled and on settings, as long as it agrees with the others.
#[derive(Debug)]
pub struct Derived {
    pub tables: &'static [&'static str],
    /// Columns of the others that depend on settings, and that no reader sees.
    pub columns: &'static [&'static str],
    /// As the projection's `apply`, without these tables.
    pub apply: Apply,
    /// Fills them when the others are done; if it is to be gentle, in small steps with a rest as long after each.
    pub derive: Derive,
    /// What in them does not agree with the others: at most so many lines, best first.
    pub check: Check,
}

pub type Derive =
    for<'a> fn(&'a Context, bool, &'a mut PgConnection) -> BoxFuture<'a, Result<(), ApplyError>>;
pub type Check = for<'a> fn(i64, &'a mut PgConnection) -> BoxFuture<'a, sqlx::Result<Vec<String>>>;

/// Gives what it changed, perhaps more than once: every answer that the batch changes depends on one of the
/// tags.
pub type Apply = for<'a> fn(
    &'a Batch,
    &'a Context,
    &'a mut PgConnection,
) -> BoxFuture<'a, Result<Vec<Tag>, ApplyError>>;

impl Definition {
    /// Also the name of its schema and of its NATS subject.
    pub fn name(&self) -> &'static str {
        self.projection.name()
    }

    pub fn wants(&self, event_type: EventType) -> bool {
        self.event_types.contains(&event_type)
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A file of `migrations/read/<projection>/`.
#[derive(Debug)]
pub struct Migration {
    pub name: &'static str,
    pub sql: &'static str,
}

/// Settings that change what is kept, never what is answered.
#[derive(Debug, Clone)]
pub struct Context {
    /// How many posts of a feed are kept ready, at least.
    pub feed_depth: i64,
    /// The posts of an author whom more than so many follow are put into no feed, but read from the author.
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

/// The projection of that name, as an operator types it.
pub fn named(name: &str) -> Result<&'static Definition, String> {
    ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|p| p.name()).collect();
        format!(
            "there is no such projection; there are {}",
            names.join(", ")
        )
    })
}

/// Whether somebody is told of the event. A post that answers nobody else's is not for anyone, nor are likes of one's
/// own.
fn is_for_another(event: &Event) -> bool {
    match event {
        Event::PostCreated(e) => e.reply_to.is_some_and(|parent| parent.author != e.author),
        Event::PostLiked(e) => e.user != e.author,
        Event::PostUnliked(e) => e.user != e.author,
        _ => true,
    }
}

/// A time of a payload. Errors: milliseconds beyond the calendar.
fn time(millis: i64) -> Result<DateTime<Utc>, ApplyError> {
    DateTime::from_timestamp_millis(millis).ok_or(ApplyError::Time(millis))
}

/// When a post or a message was made.
fn made_at(id: Uuid) -> Result<DateTime<Utc>, ApplyError> {
    time(id::millis(id))
}

#[cfg(test)]
pub(crate) mod tests {
    use feedmill_events::event::v1::{Parent, PostCreated, PostLiked, PostUnliked};

    use super::*;
    use crate::batch::Logged;

    /// All that can be done without anybody else.
    pub fn for_nobody() -> Batch {
        let (me, post) = (Uuid::from_u128(1), Uuid::from_u128(9));
        let created = |reply_to| {
            Event::PostCreated(PostCreated {
                post: Uuid::from_u128(9),
                author: me,
                reply_to,
                text: "to myself".to_owned(),
            })
        };
        let liked = Event::PostLiked(PostLiked {
            post,
            author: me,
            user: me,
        });
        let unliked = Event::PostUnliked(PostUnliked {
            post,
            author: me,
            user: me,
            liked_at: 0,
        });
        let answer = created(Some(Parent { post, author: me }));
        let events = [created(None), answer, liked, unliked];
        Batch {
            ranges: vec![],
            events: events
                .map(|event| Logged {
                    at: DateTime::UNIX_EPOCH,
                    event,
                })
                .into(),
            trace: None,
        }
    }

    #[test]
    fn what_is_for_nobody_is_known_by_itself() {
        assert!(
            for_nobody()
                .events
                .iter()
                .all(|e| !is_for_another(&e.event))
        );
        let (me, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let parent = |author| Parent {
            post: Uuid::from_u128(3),
            author,
        };
        let answer = PostCreated {
            post: Uuid::from_u128(9),
            author: me,
            reply_to: Some(parent(other)),
            text: "to you".to_owned(),
        };
        let like = PostLiked {
            post: Uuid::from_u128(3),
            author: other,
            user: me,
        };
        assert!(
            is_for_another(&Event::PostCreated(answer)) && is_for_another(&Event::PostLiked(like))
        );
    }
}
