//! Links: an account likes a post, an account follows an account. All kinds of links are added, removed and stored
//! alike; [`kind`] is the table of what differs.

pub mod kind;
pub mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use feedmill_events::{Event, Partition, PartitionSet};
use uuid::Uuid;

use self::kind::{LinkAction, LinkChange, LinkKey, LinkKind, LinkTarget};
use super::{
    account::Accounts,
    audience::{Audiences, Visibility},
    block::Blocks,
    decision::{Decision, Outcome, Rejection, Resource},
    post::Posts,
    table::Table,
};

/// Adds or removes the actor's link to a target. Adding a link that exists, or removing one that does not, succeeds
/// and changes nothing. Removing also succeeds if there is no such target, or the actor does not see it.
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

    /// Requests the follow of an account.
    pub fn request_follow(&mut self, follower: Uuid, followee: Uuid) {
        self.rows.request(follow_key(follower, followee));
    }

    /// The event that ends the follow of an account. None if there is no such follow.
    pub fn end_follow(&self, follower: Uuid, followee: Uuid) -> Option<Event> {
        let key = follow_key(follower, followee);
        let since = *self.rows.get(&key)?;
        Some(key.removed(followee, since))
    }

    /// Deletes the links of all kinds to a target.
    pub fn delete_target(&mut self, target: Uuid) {
        self.deleted_targets.insert(target);
    }
}

fn follow_key(follower: Uuid, followee: Uuid) -> LinkKey {
    LinkKey {
        target: followee,
        kind: LinkKind::Follow,
        account: follower,
    }
}

impl LinkCommand {
    /// Whether the actor must see the target, a post.
    fn needs_access(&self) -> bool {
        self.action == LinkAction::Add && self.kind.target() == LinkTarget::Post
    }

    /// The target's partition. If the actor must see the target, also the actor's, which a block that concerns the actor locks, too.
    pub fn partitions(&self, actor: Uuid) -> PartitionSet {
        let actor = self.needs_access().then_some(actor);
        let ids = [self.target].into_iter().chain(actor);
        ids.map(Partition::of).collect()
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
        audiences: &mut Audiences,
        blocks: &mut Blocks,
    ) {
        match self.kind.target() {
            LinkTarget::Post if self.needs_access() => {
                audiences.request(actor, self.target, posts, blocks);
            }
            LinkTarget::Post => posts.request(self.target),
            LinkTarget::Account {
                ignores_blocks: false,
                ..
            } if self.action == LinkAction::Add => {
                accounts.request(self.target);
                blocks.request_between(actor, self.target);
            }
            LinkTarget::Account { .. } => accounts.request(self.target),
        }
        links.rows.request(self.key(actor));
    }

    pub fn decide(
        &self,
        accounts: &Accounts,
        posts: &Posts,
        links: &Links,
        visibility: Visibility<'_>,
        actor: Uuid,
    ) -> Result<Decision, Rejection> {
        let key = self.key(actor);
        let owner = self.owner(accounts, posts);
        if self.action == LinkAction::Add {
            self.check(posts, visibility, actor)?;
        }
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

    /// Rejects a link that the actor may not add. A target that does not exist is not rejected here.
    fn check(
        &self,
        posts: &Posts,
        visibility: Visibility<'_>,
        actor: Uuid,
    ) -> Result<(), Rejection> {
        match self.kind.target() {
            LinkTarget::Post => {
                let post = posts.find(self.target)?;
                visibility.access(actor, &post).require(None)
            }
            LinkTarget::Account { to_oneself, .. } if self.target == actor => Err(to_oneself),
            LinkTarget::Account {
                ignores_blocks: true,
                ..
            } => Ok(()),
            LinkTarget::Account { .. } => {
                let not_found = Rejection::not_found(Resource::Account);
                visibility.blocks.check(actor, self.target, not_found)
            }
        }
    }

    /// The account that the target is or belongs to.
    fn owner(&self, accounts: &Accounts, posts: &Posts) -> Result<Uuid, Rejection> {
        match self.kind.target() {
            LinkTarget::Post => Ok(posts.find(self.target)?.author),
            LinkTarget::Account { .. } => accounts.require(self.target).map(|()| self.target),
        }
    }
}
