//! Connections and the requests for them. Each account has its own side of a connection, because each side is in the partition
//! of its account.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::event::v1::{
    ConnectionEnded, ConnectionMade, ConnectionRequestEnded, ConnectionRequested,
};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The one of the two who asked.
    pub requester: Uuid,
    pub connected_at: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connections {
    /// By account and other account.
    sides: BTreeMap<(Uuid, Uuid), Connection>,
    /// When each request was made, by recipient and requester.
    requests: BTreeMap<(Uuid, Uuid), i64>,
    /// Recipient and requester of each request that was declined and may not be repeated yet.
    declined: BTreeSet<(Uuid, Uuid)>,
}

/// What a request leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOutcome {
    Outgoing,
    Connected,
    Declined,
}

impl Connections {
    /// `from` asks `to` for a connection, or accepts one.
    pub fn request(&mut self, from: Uuid, to: Uuid, at: i64) -> RequestOutcome {
        if self.are_connected(from, to) {
            return RequestOutcome::Connected;
        }
        if self.requests.contains_key(&(from, to)) {
            self.connect(to, from, at);
            return RequestOutcome::Connected;
        }
        if self.declined.contains(&(to, from)) {
            return RequestOutcome::Declined;
        }
        self.requests.entry((to, from)).or_insert(at);
        RequestOutcome::Outgoing
    }

    /// Connects without a request, or accepts the one that there is.
    pub fn connect(&mut self, requester: Uuid, other: Uuid, at: i64) {
        let connection = Connection {
            requester,
            connected_at: at,
        };
        for (account, other) in [(requester, other), (other, requester)] {
            self.sides.insert((account, other), connection);
            self.requests.remove(&(account, other));
            self.declined.remove(&(account, other));
        }
    }

    /// Ends the connection, withdraws the request of `account`, or declines that of `other`.
    pub fn end(&mut self, account: Uuid, other: Uuid) {
        self.sides.remove(&(account, other));
        self.sides.remove(&(other, account));
        self.requests.remove(&(other, account));
        if self.requests.remove(&(account, other)).is_some() {
            self.declined.insert((account, other));
        }
    }

    /// Ends the connection and the requests of the two, in both directions. No request is declined.
    pub fn cut(&mut self, a: Uuid, b: Uuid) {
        for pair in [(a, b), (b, a)] {
            self.sides.remove(&pair);
            self.requests.remove(&pair);
        }
    }

    pub fn are_connected(&self, a: Uuid, b: Uuid) -> bool {
        self.sides.contains_key(&(a, b))
    }

    /// Account, other account and connection of every side.
    pub fn sides(&self) -> impl Iterator<Item = (Uuid, Uuid, Connection)> {
        let sides = self.sides.iter();
        sides.map(|((account, other), connection)| (*account, *other, *connection))
    }

    /// Those of an account: the other account, and the connection.
    pub fn of(&self, account: Uuid) -> impl Iterator<Item = (Uuid, Connection)> {
        let sides = self
            .sides
            .range((account, Uuid::nil())..=(account, Uuid::max()));
        sides.map(|((_, other), connection)| (*other, *connection))
    }

    /// Recipient, requester and time of every request.
    pub fn requests(&self) -> impl Iterator<Item = (Uuid, Uuid, i64)> {
        let requests = self.requests.iter();
        requests.map(|((to, from), at)| (*to, *from, *at))
    }

    /// When `from` asked `to`, if that was not answered.
    pub fn requested_at(&self, from: Uuid, to: Uuid) -> Option<i64> {
        self.requests.get(&(to, from)).copied()
    }

    /// As the state tables have them: the lower and the higher id, who asked, when they connected, and when a request was made
    /// that was not answered.
    pub fn rows(&self) -> BTreeSet<StoredConnection> {
        let sides = self.sides().filter(|(account, other, _)| account < other);
        let connected = sides.map(|(low, high, connection)| StoredConnection {
            low,
            high,
            requester: connection.requester,
            connected_at: Some(connection.connected_at),
            requested_at: None,
        });
        let requested = self.requests().map(|(to, from, at)| StoredConnection {
            low: to.min(from),
            high: to.max(from),
            requester: from,
            connected_at: None,
            requested_at: Some(at),
        });
        connected.chain(requested).collect()
    }

    /// Takes over the times of the rows, which no answer to a command contains.
    pub fn set_times(&mut self, rows: &BTreeSet<StoredConnection>) {
        for row in rows {
            for pair in [(row.low, row.high), (row.high, row.low)] {
                if let (Some(side), Some(at)) = (self.sides.get_mut(&pair), row.connected_at) {
                    side.connected_at = at;
                }
                if let (Some(known), Some(at)) = (self.requests.get_mut(&pair), row.requested_at) {
                    *known = at;
                }
            }
        }
    }

    pub fn fold_requested(&mut self, at: i64, event: &ConnectionRequested) {
        self.requests.insert((event.to, event.from), at);
    }

    pub fn fold_request_ended(&mut self, event: &ConnectionRequestEnded) {
        self.requests.remove(&(event.to, event.from));
    }

    pub fn fold_made(&mut self, at: i64, event: &ConnectionMade) {
        let connection = Connection {
            requester: event.requester,
            connected_at: at,
        };
        self.sides.insert((event.account, event.other), connection);
        if event.requester == event.other {
            self.requests.remove(&(event.account, event.other));
        }
    }

    pub fn fold_ended(&mut self, event: &ConnectionEnded) {
        self.sides.remove(&(event.account, event.other));
    }

    /// Whether the partition of `to` allows the request.
    pub fn is_legal_request(&self, event: &ConnectionRequested) -> bool {
        let pair = (event.to, event.from);
        event.from != event.to
            && !self.requests.contains_key(&pair)
            && !self.sides.contains_key(&pair)
    }

    pub fn is_legal_request_end(&self, event: &ConnectionRequestEnded) -> bool {
        self.requested_at(event.from, event.to) == Some(event.requested_at)
    }

    /// The request is in the partition of the account that accepts it.
    pub fn is_legal_connection(&self, event: &ConnectionMade) -> bool {
        let (account, other) = (event.account, event.other);
        let request = self.requested_at(other, account);
        let accepts = event.requester == account || request == event.requested_at;
        account != other
            && [account, other].contains(&event.requester)
            && !self.are_connected(account, other)
            && accepts
    }

    pub fn is_legal_end(&self, event: &ConnectionEnded) -> bool {
        let connection = Connection {
            requester: event.requester,
            connected_at: event.connected_at,
        };
        self.sides.get(&(event.account, event.other)) == Some(&connection)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
pub struct StoredConnection {
    pub low: Uuid,
    pub high: Uuid,
    pub requester: Uuid,
    pub connected_at: Option<i64>,
    pub requested_at: Option<i64>,
}
