//! Connections, and audience tags.

use feedmill_events::{
    Event, Partition,
    event::v1::{
        ConnectionEnded, ConnectionMade, ConnectionRequestEnded, ConnectionRequested, TagCreated,
        TagDeleted, TagMemberAdded, TagMemberRemoved, TagRenamed,
    },
};
use rand::Rng as _;
use uuid::Uuid;

use super::World;

impl World {
    /// A request, its end, one side of a connection, or the end of a side. The other side may come much later: it is in another
    /// partition.
    pub(super) fn connection(&mut self) -> Option<Event> {
        let (account, other) = (self.any_account()?, self.any_account()?);
        if self.oracle.blocks.between(account, other) {
            return None;
        }
        let connections = &self.oracle.connections;
        let side = connections.of(account).find(|(with, _)| *with == other);
        let requested_at = connections.requested_at(other, account);
        let event = match (side, requested_at) {
            // A membership ends before the connection.
            (Some(_), _) if self.oracle.tags.of(account, other).next().is_some() => return None,
            (Some((_, side)), _) => Event::ConnectionEnded(ConnectionEnded {
                account,
                other,
                requester: side.requester,
                connected_at: side.connected_at,
            }),
            (None, Some(requested_at)) if self.rng().gen_bool(0.4) => {
                Event::ConnectionRequestEnded(ConnectionRequestEnded {
                    from: other,
                    to: account,
                    requested_at,
                    declined: self.rng().gen_bool(0.5),
                })
            }
            (None, Some(_)) => Event::ConnectionMade(ConnectionMade {
                account,
                other,
                requester: other,
                requested_at,
            }),
            (None, None) if self.rng().gen_bool(0.5) => {
                Event::ConnectionRequested(ConnectionRequested {
                    from: other,
                    to: account,
                })
            }
            (None, None) => Event::ConnectionMade(ConnectionMade {
                account,
                other,
                requester: account,
                requested_at: None,
            }),
        };
        (account != other).then_some(event)
    }

    /// A new tag, the end or the new name of one, a new member, or the end of a membership.
    pub(super) fn tag(&mut self) -> Option<Event> {
        let owner = self.any_account()?;
        let tags: Vec<Uuid> = self.oracle.tags.of_owner(owner).map(|(id, _)| id).collect();
        let Some(tag) = self.any(&tags).filter(|_| self.rng().gen_bool(0.8)) else {
            let tag = self.id(Some(Partition::of(owner)));
            let name = format!("Tag {tag}");
            return Some(Event::TagCreated(TagCreated { tag, owner, name }));
        };
        let connections: Vec<Uuid> = (self.oracle.connections.of(owner))
            .map(|(other, _)| other)
            .collect();
        let members = self.oracle.tags.get(tag)?.members.clone();
        Some(match self.rng().gen_range(0..20) {
            0 => Event::TagDeleted(TagDeleted { tag, owner }),
            1..4 => {
                let name = format!("Tag at {}", self.now);
                Event::TagRenamed(TagRenamed { tag, owner, name })
            }
            4..10 => {
                let members: Vec<(Uuid, i64)> = members.into_iter().collect();
                let (member, added_at) = self.any(&members)?;
                Event::TagMemberRemoved(TagMemberRemoved {
                    tag,
                    owner,
                    member,
                    added_at,
                })
            }
            _ => {
                let member = self.any(&connections)?;
                if members.contains_key(&member) {
                    return None;
                }
                Event::TagMemberAdded(TagMemberAdded { tag, owner, member })
            }
        })
    }
}
