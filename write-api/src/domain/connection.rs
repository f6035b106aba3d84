//! Connections between two accounts, which both have agreed to, and connection requests.
//!
//! A connection decides who sees the posts of both accounts. Each account therefore has an event of it in its own partition, and
//! every command locks the heads of both partitions. [`command`] has the commands.

pub mod command;
pub mod sql;
#[cfg(test)]
mod tests;

use feedmill_events::{
    Event,
    event::v1::{ConnectionEnded, ConnectionMade, ConnectionRequestEnded, ConnectionRequested},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{table::Table, tag::AudienceTags};

pub use command::ConnectionCommand;

/// How long a declined request cannot be repeated, in milliseconds: 30 days.
pub const DECLINE_HOLD: i64 = 30 * 24 * 60 * 60 * 1_000;

/// The state of the connection between the actor and another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConnectionState {
    /// The actor has sent a request, which is unanswered.
    Outgoing,
    Connected,
}

/// A request or, once it was accepted, a connection. Times are Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    pub requester: Uuid,
    pub requested_at: i64,
    pub connected_at: Option<i64>,
}

/// Two accounts, the lower id first.
pub type Pair = (Uuid, Uuid);

fn pair(a: Uuid, b: Uuid) -> Pair {
    (a.min(b), a.max(b))
}

#[derive(Debug, Default)]
pub struct Connections {
    rows: Table<Pair, Connection>,
    /// When a request was declined, by requester and by the account that declined it.
    declined: Table<(Uuid, Uuid), i64>,
    /// The number of unanswered requests of each requester. It is counted from the stored requests and not saved.
    pending: Table<Uuid, u32>,
}

impl Connections {
    pub fn requested(&mut self, at: i64, event: &ConnectionRequested) {
        let request = Connection {
            requester: event.from,
            requested_at: at,
            connected_at: None,
        };
        self.rows.insert(pair(event.from, event.to), request);
        self.add_pending(event.from, 1);
    }

    pub fn request_ended(&mut self, at: i64, event: &ConnectionRequestEnded) {
        self.rows.remove(&pair(event.from, event.to));
        self.add_pending(event.from, -1);
        if event.declined {
            self.declined.insert((event.from, event.to), at);
        }
    }

    /// A connection has two events, one for each account. The second one changes nothing.
    pub fn made(&mut self, at: i64, event: &ConnectionMade) {
        let pair = pair(event.account, event.other);
        let before = self.rows.get(&pair).copied();
        if before.is_some_and(|before| before.connected_at.is_some()) {
            return;
        }
        if let Some(request) = before {
            self.add_pending(request.requester, -1);
        }
        let connection = Connection {
            requester: event.requester,
            requested_at: event.requested_at.unwrap_or(at),
            connected_at: Some(at),
        };
        self.rows.insert(pair, connection);
        self.declined.remove(&pair);
        self.declined.remove(&(pair.1, pair.0));
    }

    pub fn ended(&mut self, event: &ConnectionEnded) {
        self.rows.remove(&pair(event.account, event.other));
    }

    fn add_pending(&mut self, account: Uuid, change: i32) {
        let before = self.pending.get(&account).copied().unwrap_or_default();
        self.pending
            .insert(account, before.saturating_add_signed(change));
    }

    pub fn request_pair(&mut self, a: Uuid, b: Uuid) {
        self.rows.request(pair(a, b));
    }

    /// Requests what [`Connections::end`] reads.
    pub fn request_end(&mut self, a: Uuid, b: Uuid, tags: &mut AudienceTags) {
        self.request_pair(a, b);
        tags.request_memberships(a, b);
        tags.request_memberships(b, a);
    }

    /// The events that end the connection between the actor and another account, or the request of one of them. `declined` says
    /// whether a request of the other account counts as declined.
    pub fn end(&self, actor: Uuid, other: Uuid, tags: &AudienceTags, declined: bool) -> Vec<Event> {
        let Some(found) = self.rows.get(&pair(actor, other)).copied() else {
            return Vec::new();
        };
        let requester = found.requester;
        let Some(connected_at) = found.connected_at else {
            let is_incoming = requester == other;
            return vec![Event::ConnectionRequestEnded(ConnectionRequestEnded {
                from: requester,
                to: if is_incoming { actor } else { other },
                requested_at: found.requested_at,
                declined: declined && is_incoming,
            })];
        };
        let ended = |account, other| {
            Event::ConnectionEnded(ConnectionEnded {
                account,
                other,
                requester,
                connected_at,
            })
        };
        // Memberships in tags end when the connection ends.
        let mut events = tags.end_memberships(actor, other);
        events.extend(tags.end_memberships(other, actor));
        events.extend([ended(actor, other), ended(other, actor)]);
        events
    }

    /// The pair must have been requested.
    pub fn are_connected(&self, a: Uuid, b: Uuid) -> bool {
        let found = self.rows.get(&pair(a, b));
        found.is_some_and(|found| found.connected_at.is_some())
    }

    /// None without a connection and without a request of the actor.
    fn state(&self, actor: Uuid, other: Uuid) -> Option<ConnectionState> {
        let found = self.rows.get(&pair(actor, other))?;
        match found.connected_at {
            Some(_) => Some(ConnectionState::Connected),
            None => (found.requester == actor).then_some(ConnectionState::Outgoing),
        }
    }
}
