//! Audience tags: private labels of an account for the people whom it is connected with. They are unrelated to cache tags.
//!
//! Tags and their members are in their owner's partition. A membership ends when the connection ends.

pub mod sql;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::{
    Event, Partition,
    event::v1::{TagCreated, TagDeleted, TagMemberAdded, TagMemberRemoved, TagRenamed},
};
use uuid::Uuid;

use super::{
    account::Accounts,
    block::Blocks,
    clock::Moment,
    connection::Connections,
    decision::{Decision, Outcome, Rejection, Resource},
    stored_outcome::StoredOutcome,
    table::Table,
    text::TagName,
};

/// The maximum numbers of tags of an account and of members of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagLimits {
    pub tags: u32,
    pub members: u32,
}

#[derive(Debug, Clone)]
pub enum TagCommand {
    Create {
        name: TagName,
        limits: TagLimits,
    },
    Rename {
        tag: Uuid,
        name: TagName,
    },
    Delete {
        tag: Uuid,
    },
    AddMember {
        tag: Uuid,
        member: Uuid,
        limits: TagLimits,
    },
    RemoveMember {
        tag: Uuid,
        member: Uuid,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudienceTag {
    pub owner: Uuid,
    pub name: String,
}

/// A membership: the owner of the tag, the member, and the tag.
pub type Membership = (Uuid, Uuid, Uuid);

#[derive(Debug, Default)]
pub struct AudienceTags {
    rows: Table<Uuid, AudienceTag>,
    /// The tag of each owner and name. This is an index on `rows` and not saved.
    names: Table<(Uuid, String), Uuid>,
    /// The number of tags of each owner. It is counted from the stored tags and not saved.
    counts: Table<Uuid, u32>,
    /// When each member was added, in Unix milliseconds.
    members: Table<Membership, i64>,
    /// The tags of each owner and member. This is an index on `members`.
    tags_of: BTreeMap<(Uuid, Uuid), BTreeSet<Uuid>>,
    /// The number of members of each tag. It is counted from the stored members and not saved.
    member_counts: Table<Uuid, u32>,
    /// Pairs of an owner and another account. All memberships of the account in the owner's tags are to be loaded.
    memberships: BTreeSet<(Uuid, Uuid)>,
    /// Tags that this batch deletes, with all of their members.
    deleted: BTreeSet<Uuid>,
}

impl AudienceTags {
    /// Requests all memberships of an account in an owner's tags.
    pub fn request_memberships(&mut self, owner: Uuid, member: Uuid) {
        self.memberships.insert((owner, member));
    }

    /// The events that end all memberships of an account in an owner's tags.
    pub fn end_memberships(&self, owner: Uuid, member: Uuid) -> Vec<Event> {
        let tags = self.tags_of.get(&(owner, member));
        let standing = tags
            .into_iter()
            .flatten()
            .filter(|tag| !self.deleted.contains(tag));
        let event = |tag: &Uuid| {
            let added_at = *self.members.get(&(owner, member, *tag))?;
            Some(Event::TagMemberRemoved(TagMemberRemoved {
                tag: *tag,
                owner,
                member,
                added_at,
            }))
        };
        standing.filter_map(event).collect()
    }

    /// Adds a membership that was loaded.
    fn load_member(&mut self, membership: Membership, at: i64) {
        let (owner, member, tag) = membership;
        self.tags_of.entry((owner, member)).or_default().insert(tag);
        self.members.load(membership, at);
    }

    pub fn created(&mut self, event: &TagCreated) {
        let (owner, name) = (event.owner, event.name.clone());
        self.names.insert((owner, name.clone()), event.tag);
        self.rows.insert(event.tag, AudienceTag { owner, name });
        add(&mut self.counts, owner, 1);
    }

    pub fn renamed(&mut self, event: &TagRenamed) {
        let (owner, name) = (event.owner, event.name.clone());
        if let Some(before) = self.rows.get(&event.tag) {
            let before = (owner, before.name.clone());
            self.names.remove(&before);
        }
        self.names.insert((owner, name.clone()), event.tag);
        self.rows.insert(event.tag, AudienceTag { owner, name });
    }

    pub fn removed(&mut self, event: &TagDeleted) {
        if let Some(before) = self.rows.get(&event.tag) {
            let before = (event.owner, before.name.clone());
            self.names.remove(&before);
        }
        self.rows.remove(&event.tag);
        self.deleted.insert(event.tag);
        add(&mut self.counts, event.owner, -1);
    }

    pub fn member_added(&mut self, at: i64, event: &TagMemberAdded) {
        let tags = self.tags_of.entry((event.owner, event.member)).or_default();
        tags.insert(event.tag);
        self.members
            .insert((event.owner, event.member, event.tag), at);
        add(&mut self.member_counts, event.tag, 1);
    }

    pub fn member_removed(&mut self, event: &TagMemberRemoved) {
        self.members.remove(&(event.owner, event.member, event.tag));
        add(&mut self.member_counts, event.tag, -1);
    }

    /// Requests tags.
    pub fn request(&mut self, tags: &[Uuid]) {
        for tag in tags {
            self.rows.request(*tag);
        }
    }

    /// Whether all of the tags exist and belong to the account. They must have been requested.
    pub fn are_own(&self, tags: &[Uuid], account: Uuid) -> bool {
        tags.iter().all(|tag| self.own(*tag, account).is_ok())
    }

    /// Whether an account is a member of a tag that exists. The membership must have been requested.
    pub fn has(&self, owner: Uuid, member: Uuid, tag: Uuid) -> bool {
        self.members.get(&(owner, member, tag)).is_some() && !self.deleted.contains(&tag)
    }

    /// A tag of the actor. A tag of another account is rejected as if it did not exist.
    fn own(&self, tag: Uuid, actor: Uuid) -> Result<&AudienceTag, Rejection> {
        let found = self.rows.get(&tag).filter(|found| found.owner == actor);
        found.ok_or(Rejection::not_found(Resource::Tag))
    }
}

fn add(counts: &mut Table<Uuid, u32>, key: Uuid, change: i32) {
    let before = counts.get(&key).copied().unwrap_or_default();
    counts.insert(key, before.saturating_add_signed(change));
}

impl TagCommand {
    pub fn partition(actor: Uuid) -> Partition {
        Partition::of(actor)
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create_tag",
            Self::Rename { .. } => "rename_tag",
            Self::Delete { .. } => "delete_tag",
            Self::AddMember { .. } => "add_tag_member",
            Self::RemoveMember { .. } => "remove_tag_member",
        }
    }

    pub fn request(
        &self,
        actor: Uuid,
        accounts: &mut Accounts,
        connections: &mut Connections,
        tags: &mut AudienceTags,
        blocks: &mut Blocks,
    ) {
        match self {
            Self::Create { name, .. } => {
                tags.names.request((actor, name.as_str().to_owned()));
                tags.counts.request(actor);
            }
            Self::Rename { tag, name } => {
                tags.rows.request(*tag);
                tags.names.request((actor, name.as_str().to_owned()));
            }
            Self::Delete { tag } => tags.rows.request(*tag),
            Self::AddMember { tag, member, .. } => {
                accounts.request(*member);
                connections.request_pair(actor, *member);
                blocks.request_between(actor, *member);
                tags.rows.request(*tag);
                tags.members.request((actor, *member, *tag));
                tags.member_counts.request(*tag);
            }
            Self::RemoveMember { tag, member } => {
                tags.rows.request(*tag);
                tags.members.request((actor, *member, *tag));
            }
        }
    }

    pub fn decide(
        &self,
        accounts: &Accounts,
        connections: &Connections,
        tags: &AudienceTags,
        blocks: &Blocks,
        actor: Uuid,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        match self {
            Self::Create { name, limits } => {
                let name = name.as_str().to_owned();
                if tags.names.get(&(actor, name.clone())).is_some() {
                    return Err(Rejection::TagExists);
                }
                let count = tags.counts.get(&actor).copied();
                if count.unwrap_or_default() >= limits.tags {
                    return Err(Rejection::TooManyTags(limits.tags));
                }
                let tag = moment.id(Self::partition(actor));
                let event = TagCreated {
                    tag,
                    owner: actor,
                    name: name.clone(),
                };
                let outcome = Outcome::Tag { id: tag, name };
                Ok(Decision::new(Event::TagCreated(event), outcome))
            }
            Self::Rename { tag, name } => {
                let name = name.as_str().to_owned();
                let outcome = Outcome::Tag {
                    id: *tag,
                    name: name.clone(),
                };
                if tags.own(*tag, actor)?.name == name {
                    return Ok(Decision::unchanged(outcome));
                }
                if tags.names.get(&(actor, name.clone())).is_some() {
                    return Err(Rejection::TagExists);
                }
                let event = TagRenamed {
                    tag: *tag,
                    owner: actor,
                    name,
                };
                Ok(Decision::new(Event::TagRenamed(event), outcome))
            }
            // Deleting a tag that does not exist succeeds, so that the answer does not tell whether others have it.
            Self::Delete { tag } => Ok(match tags.own(*tag, actor) {
                Err(_) => Decision::unchanged(Outcome::Done),
                Ok(_) => Decision::done(Event::TagDeleted(TagDeleted {
                    tag: *tag,
                    owner: actor,
                })),
            }),
            Self::AddMember {
                tag,
                member,
                limits,
            } => {
                tags.own(*tag, actor)?;
                accounts.require(*member)?;
                blocks.check(actor, *member, Rejection::not_found(Resource::Account))?;
                if !connections.are_connected(actor, *member) {
                    return Err(Rejection::NotConnected);
                }
                if tags.members.get(&(actor, *member, *tag)).is_some() {
                    return Ok(Decision::unchanged(Outcome::Done));
                }
                let count = tags.member_counts.get(tag).copied();
                if count.unwrap_or_default() >= limits.members {
                    return Err(Rejection::TooManyTagMembers(limits.members));
                }
                Ok(Decision::done(Event::TagMemberAdded(TagMemberAdded {
                    tag: *tag,
                    owner: actor,
                    member: *member,
                })))
            }
            Self::RemoveMember { tag, member } => {
                let added_at = tags.members.get(&(actor, *member, *tag)).copied();
                Ok(match added_at.filter(|_| tags.own(*tag, actor).is_ok()) {
                    None => Decision::unchanged(Outcome::Done),
                    Some(added_at) => Decision::done(Event::TagMemberRemoved(TagMemberRemoved {
                        tag: *tag,
                        owner: actor,
                        member: *member,
                        added_at,
                    })),
                })
            }
        }
    }

    /// See [`Command::restore`](super::Command::restore).
    pub fn restore(&self, stored: StoredOutcome) -> Option<Outcome> {
        match (self, stored) {
            (Self::Create { name, .. }, StoredOutcome::Tag { id }) => Some(Outcome::Tag {
                id,
                name: name.as_str().to_owned(),
            }),
            (Self::Rename { tag, name }, StoredOutcome::Tag { .. } | StoredOutcome::Unchanged) => {
                Some(Outcome::Tag {
                    id: *tag,
                    name: name.as_str().to_owned(),
                })
            }
            (Self::Delete { .. } | Self::AddMember { .. } | Self::RemoveMember { .. }, stored) => {
                stored.done()
            }
            _ => None,
        }
    }
}
