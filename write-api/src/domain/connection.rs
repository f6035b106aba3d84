//! Connections between two accounts, which both have agreed to, and connection requests.
//!
//! A connection decides who sees the posts of both accounts. Each account therefore has an event of it in its own partition, and
//! every command locks the heads of both partitions.

pub mod sql;
#[cfg(test)]
mod tests;

use feedmill_events::{
    Event, Partition, PartitionSet,
    event::v1::{ConnectionEnded, ConnectionMade, ConnectionRequestEnded, ConnectionRequested},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    account::Accounts,
    clock::Moment,
    decision::{Decision, Outcome, Rejection},
    stored_outcome::StoredOutcome,
    table::Table,
    tag::AudienceTags,
};

/// How long a declined request cannot be repeated, in milliseconds: 30 days.
pub const DECLINE_HOLD: i64 = 30 * 24 * 60 * 60 * 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionCommand {
    /// Requests a connection, or accepts the request of the other account. An account has at most `max_pending` unanswered
    /// requests.
    Request { other: Uuid, max_pending: u32 },
    /// Ends the connection, withdraws the actor's request, or declines the request of the other account.
    End { other: Uuid },
    /// Connects without a request, for imports. The actor counts as the requester.
    Connect { other: Uuid },
}

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

impl ConnectionCommand {
    fn other(self) -> Uuid {
        match self {
            Self::Request { other, .. } | Self::End { other } | Self::Connect { other } => other,
        }
    }

    pub fn partitions(self, actor: Uuid) -> PartitionSet {
        [actor, self.other()]
            .map(Partition::of)
            .into_iter()
            .collect()
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Request { .. } => "request_connection",
            Self::End { .. } => "end_connection",
            Self::Connect { .. } => "connect",
        }
    }

    pub fn request(
        self,
        actor: Uuid,
        accounts: &mut Accounts,
        connections: &mut Connections,
        tags: &mut AudienceTags,
    ) {
        let other = self.other();
        if matches!(self, Self::End { .. }) {
            tags.request_memberships(actor, other);
            tags.request_memberships(other, actor);
        }
        accounts.request(other);
        connections.rows.request(pair(actor, other));
        connections.declined.request((actor, other));
        connections.declined.request((other, actor));
        connections.pending.request(actor);
    }

    pub fn decide(
        self,
        accounts: &Accounts,
        connections: &Connections,
        tags: &AudienceTags,
        actor: Uuid,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        let found = connections.rows.get(&pair(actor, self.other())).copied();
        match self {
            Self::Request { other, max_pending } => {
                require_other(accounts, actor, other)?;
                if let Some(state) = connections.state(actor, other) {
                    return Ok(Decision::unchanged(Outcome::Connection(state)));
                }
                if let Some(request) = found {
                    let requested_at = Some(request.requested_at);
                    return Ok(connected(actor, other, other, requested_at));
                }
                let declined_at = connections.declined.get(&(actor, other));
                if declined_at.is_some_and(|at| moment.millis - at < DECLINE_HOLD) {
                    return Err(Rejection::RequestDeclined);
                }
                let pending = connections.pending.get(&actor).copied();
                if pending.unwrap_or_default() >= max_pending {
                    return Err(Rejection::TooManyPendingRequests(max_pending));
                }
                let event = Event::ConnectionRequested(ConnectionRequested {
                    from: actor,
                    to: other,
                });
                let outcome = Outcome::Connection(ConnectionState::Outgoing);
                Ok(Decision::new(event, outcome))
            }
            Self::Connect { other } => {
                require_other(accounts, actor, other)?;
                match found {
                    Some(Connection {
                        connected_at: Some(_),
                        ..
                    }) => Ok(Decision::unchanged(Outcome::Connection(
                        ConnectionState::Connected,
                    ))),
                    Some(request) => {
                        let requested_at = Some(request.requested_at);
                        Ok(connected(actor, other, request.requester, requested_at))
                    }
                    None => Ok(connected(actor, other, actor, None)),
                }
            }
            // Ending what does not exist succeeds, so that the answer does not tell whether the account exists.
            Self::End { other } => Ok(match found {
                None => Decision::unchanged(Outcome::Done),
                Some(Connection {
                    requester,
                    connected_at: Some(connected_at),
                    ..
                }) => {
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
                    Decision::several(events, Outcome::Done)
                }
                Some(request) => {
                    let declined = request.requester == other;
                    Decision::done(Event::ConnectionRequestEnded(ConnectionRequestEnded {
                        from: request.requester,
                        to: if declined { actor } else { other },
                        requested_at: request.requested_at,
                        declined,
                    }))
                }
            }),
        }
    }

    /// See [`Command::restore`](super::Command::restore).
    pub fn restore(self, stored: StoredOutcome) -> Option<Outcome> {
        match (self, stored) {
            (Self::End { .. }, stored) => stored.done(),
            (_, StoredOutcome::Connection { state }) => Some(Outcome::Connection(state)),
            _ => None,
        }
    }
}

fn require_other(accounts: &Accounts, actor: Uuid, other: Uuid) -> Result<(), Rejection> {
    if actor == other {
        return Err(Rejection::SelfConnection);
    }
    accounts.require(other)
}

/// The events of a new connection, one for each account.
fn connected(actor: Uuid, other: Uuid, requester: Uuid, requested_at: Option<i64>) -> Decision {
    let made = |account, other| {
        Event::ConnectionMade(ConnectionMade {
            account,
            other,
            requester,
            requested_at,
        })
    };
    let events = vec![made(actor, other), made(other, actor)];
    Decision::several(events, Outcome::Connection(ConnectionState::Connected))
}
