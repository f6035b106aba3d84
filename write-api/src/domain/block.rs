//! Blocks: an account does not want to see another one, nor be seen by it.
//!
//! A block hides each of the two from the other. Each account therefore has an event of it in its own partition, and every command
//! locks the heads of both partitions, which the acts of either account on the other lock, too.

pub mod sql;
#[cfg(test)]
mod tests;

use feedmill_events::{
    Event, Partition, PartitionSet,
    event::v1::{AccountBlocked, AccountUnblocked},
};
use uuid::Uuid;

use super::{
    account::Accounts,
    connection::Connections,
    decision::{Decision, Outcome, Rejection},
    link::Links,
    table::Table,
    tag::AudienceTags,
};

/// Blocks or unblocks another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockCommand {
    /// Ends all follows, connections, connection requests and tag memberships between the two accounts.
    Block { other: Uuid },
    /// Restores nothing.
    Unblock { other: Uuid },
}

#[derive(Debug, Default)]
pub struct Blocks {
    /// When each block began, in Unix milliseconds, by blocker and blocked account.
    rows: Table<(Uuid, Uuid), i64>,
}

impl Blocks {
    /// Requests the blocks between two accounts, in both directions.
    pub fn request_between(&mut self, a: Uuid, b: Uuid) {
        if a != b {
            self.rows.request((a, b));
            self.rows.request((b, a));
        }
    }

    /// Blockers and blocked accounts.
    pub fn take_requested(&mut self) -> (Vec<Uuid>, Vec<Uuid>) {
        self.rows.take_requested().into_iter().unzip()
    }

    /// `at` is in Unix milliseconds.
    pub fn load(&mut self, blocker: Uuid, blocked: Uuid, at: i64) {
        self.rows.load((blocker, blocked), at);
    }

    pub fn has(&self, blocker: Uuid, blocked: Uuid) -> bool {
        self.rows.get(&(blocker, blocked)).is_some()
    }

    /// In either direction.
    pub fn is_between(&self, a: Uuid, b: Uuid) -> bool {
        self.has(a, b) || self.has(b, a)
    }

    /// Rejects an act on an account if there is a block between it and the actor. For an actor who is blocked, the account does not
    /// exist, as `not_found` says.
    pub fn check(&self, actor: Uuid, other: Uuid, not_found: Rejection) -> Result<(), Rejection> {
        if self.has(actor, other) {
            Err(Rejection::Blocked)
        } else if self.has(other, actor) {
            Err(not_found)
        } else {
            Ok(())
        }
    }

    /// A block has two events, one for each account. The second one changes nothing.
    pub fn blocked(&mut self, at: i64, event: &AccountBlocked) {
        let blocked = other_of(event.account, event.other, event.blocker);
        self.rows.insert((event.blocker, blocked), at);
    }

    pub fn unblocked(&mut self, event: &AccountUnblocked) {
        let blocked = other_of(event.account, event.other, event.blocker);
        self.rows.remove(&(event.blocker, blocked));
    }
}

/// The one of two accounts that is not the blocker.
fn other_of(account: Uuid, other: Uuid, blocker: Uuid) -> Uuid {
    if account == blocker { other } else { account }
}

impl BlockCommand {
    fn other(self) -> Uuid {
        match self {
            Self::Block { other } | Self::Unblock { other } => other,
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
            Self::Block { .. } => "block",
            Self::Unblock { .. } => "unblock",
        }
    }

    pub fn request(
        self,
        actor: Uuid,
        accounts: &mut Accounts,
        links: &mut Links,
        connections: &mut Connections,
        tags: &mut AudienceTags,
        blocks: &mut Blocks,
    ) {
        let other = self.other();
        blocks.request_between(actor, other);
        if matches!(self, Self::Block { .. }) {
            accounts.request(other);
            links.request_follow(actor, other);
            links.request_follow(other, actor);
            connections.request_end(actor, other, tags);
        }
    }

    pub fn decide(
        self,
        accounts: &Accounts,
        links: &Links,
        connections: &Connections,
        tags: &AudienceTags,
        blocks: &Blocks,
        actor: Uuid,
    ) -> Result<Decision, Rejection> {
        let since = blocks.rows.get(&(actor, self.other())).copied();
        match (self, since) {
            (Self::Block { other }, None) => {
                if other == actor {
                    return Err(Rejection::SelfBlock);
                }
                // Also an account that blocks the actor, so that each of the two can block the other one.
                accounts.require(other)?;
                let follows = [(actor, other), (other, actor)];
                let follows = follows.map(|(from, to)| links.end_follow(from, to));
                let mut events: Vec<Event> = follows.into_iter().flatten().collect();
                // A request of the other account is not declined: it may be repeated once the block has ended.
                events.extend(connections.end(actor, other, tags, false));
                events.extend(blocked(actor, other));
                Ok(Decision::several(events, Outcome::Done))
            }
            (Self::Unblock { other }, Some(since)) => {
                let events = unblocked(actor, other, since).into();
                Ok(Decision::several(events, Outcome::Done))
            }
            // Unblocking succeeds for any account, so that the answer does not tell whether it exists.
            (Self::Block { .. }, Some(_)) | (Self::Unblock { .. }, None) => {
                Ok(Decision::unchanged(Outcome::Done))
            }
        }
    }
}

/// The events of a new block, one for each account.
fn blocked(blocker: Uuid, other: Uuid) -> [Event; 2] {
    [(blocker, other), (other, blocker)].map(|(account, other)| {
        Event::AccountBlocked(AccountBlocked {
            account,
            other,
            blocker,
        })
    })
}

/// The events of the end of a block, one for each account.
fn unblocked(blocker: Uuid, other: Uuid, blocked_at: i64) -> [Event; 2] {
    [(blocker, other), (other, blocker)].map(|(account, other)| {
        Event::AccountUnblocked(AccountUnblocked {
            account,
            other,
            blocker,
            blocked_at,
        })
    })
}
