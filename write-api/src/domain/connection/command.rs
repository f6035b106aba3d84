//! The commands of connections.

use feedmill_events::{
    Event, Partition, PartitionSet,
    event::v1::{ConnectionMade, ConnectionRequested},
};
use uuid::Uuid;

use super::{Connection, ConnectionState, Connections, DECLINE_HOLD, pair};
use crate::domain::{
    account::Accounts,
    block::Blocks,
    clock::Moment,
    decision::{Decision, Outcome, Rejection, Resource},
    stored_outcome::StoredOutcome,
    tag::AudienceTags,
};

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
        blocks: &mut Blocks,
    ) {
        let other = self.other();
        match self {
            Self::End { .. } => connections.request_end(actor, other, tags),
            Self::Request { .. } | Self::Connect { .. } => {
                connections.request_pair(actor, other);
                blocks.request_between(actor, other);
            }
        }
        accounts.request(other);
        connections.declined.request((actor, other));
        connections.declined.request((other, actor));
        connections.pending.request(actor);
    }

    pub fn decide(
        self,
        accounts: &Accounts,
        connections: &Connections,
        tags: &AudienceTags,
        blocks: &Blocks,
        actor: Uuid,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        let found = connections.rows.get(&pair(actor, self.other())).copied();
        match self {
            Self::Request { other, max_pending } => {
                require_other(accounts, blocks, actor, other)?;
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
                require_other(accounts, blocks, actor, other)?;
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
            Self::End { other } => {
                let events = connections.end(actor, other, tags, true);
                Ok(Decision::several(events, Outcome::Done))
            }
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

fn require_other(
    accounts: &Accounts,
    blocks: &Blocks,
    actor: Uuid,
    other: Uuid,
) -> Result<(), Rejection> {
    if actor == other {
        return Err(Rejection::SelfConnection);
    }
    accounts.require(other)?;
    blocks.check(actor, other, Rejection::not_found(Resource::Account))
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
