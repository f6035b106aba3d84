//! Links: an account likes a post, an account follows an account. All kinds of links are added, removed and stored
//! alike; [`kind`] is the table of what differs.

pub mod kind;
pub mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use feedmill_events::{Event, Partition};
use uuid::Uuid;

use self::kind::{LinkAction, LinkChange, LinkKey, LinkKind, LinkTarget};
use super::{
    account::Accounts,
    decision::{Decision, Outcome, Rejection},
    post::Posts,
    table::Table,
};

/// Adds or removes the actor's link to a target. Adding a link that exists, or removing one that does not, succeeds
/// and changes nothing. Removing also succeeds if there is no such target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkCommand {
    pub kind: LinkKind,
    pub action: LinkAction,
    /// The id of a post or an account, by the kind.
    pub target: Uuid,
}

#[derive(Debug, Default)]
pub struct Links {
    /// The time at which each link was added, in Unix milliseconds.
    rows: Table<LinkKey, i64>,
    /// Targets that were deleted, and all their links with them.
    deleted_targets: BTreeSet<Uuid>,
}

impl Links {
    pub fn take_requested(&mut self) -> Vec<LinkKey> {
        self.rows.take_requested()
    }

    /// `since` is in Unix milliseconds.
    pub fn load(&mut self, key: LinkKey, since: i64) {
        self.rows.load(key, since);
    }

    /// Applies an event of a kind of links; others change nothing. `at` is in Unix milliseconds.
    pub fn apply(&mut self, at: i64, event: &Event) {
        match LinkChange::of(event) {
            Some(LinkChange::Added(key)) => self.rows.insert(key, at),
            Some(LinkChange::Removed(key)) => self.rows.remove(&key),
            None => {}
        }
    }

    /// Deletes the links of all kinds to a target.
    pub fn delete_target(&mut self, target: Uuid) {
        self.deleted_targets.insert(target);
    }
}

impl LinkCommand {
    pub fn partition(&self) -> Partition {
        Partition::of(self.target)
    }

    pub fn name(&self) -> &'static str {
        self.kind.command_name(self.action)
    }

    fn key(&self, account: Uuid) -> LinkKey {
        LinkKey {
            target: self.target,
            kind: self.kind,
            account,
        }
    }

    pub fn request(
        &self,
        actor: Uuid,
        accounts: &mut Accounts,
        posts: &mut Posts,
        links: &mut Links,
    ) {
        match self.kind.target() {
            LinkTarget::Post => posts.request(self.target),
            LinkTarget::Account { .. } => accounts.request(self.target),
        }
        links.rows.request(self.key(actor));
    }

    pub fn decide(
        &self,
        accounts: &Accounts,
        posts: &Posts,
        links: &Links,
        actor: Uuid,
    ) -> Result<Decision, Rejection> {
        if let LinkTarget::Account { to_oneself } = self.kind.target()
            && self.action == LinkAction::Add
            && self.target == actor
        {
            return Err(to_oneself);
        }
        let key = self.key(actor);
        let owner = self.owner(accounts, posts);
        let event = match (self.action, links.rows.get(&key)) {
            (LinkAction::Add, None) => key.added(owner?),
            (LinkAction::Add, Some(_)) => {
                owner?;
                return Ok(Decision::unchanged(Outcome::Done));
            }
            // Undoing one's own act always succeeds, so that the answer does not tell whether the target exists.
            (LinkAction::Remove, since) => match (owner, since) {
                (Ok(owner), Some(since)) => key.removed(owner, *since),
                _ => return Ok(Decision::unchanged(Outcome::Done)),
            },
        };
        Ok(Decision::done(event))
    }

    /// The account that the target is or belongs to.
    fn owner(&self, accounts: &Accounts, posts: &Posts) -> Result<Uuid, Rejection> {
        match self.kind.target() {
            LinkTarget::Post => Ok(posts.find(self.target)?.author),
            LinkTarget::Account { .. } => accounts.require(self.target).map(|()| self.target),
        }
    }
}
