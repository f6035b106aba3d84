//! Audience tags and their members.

use std::collections::BTreeMap;

use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudienceTag {
    pub owner: Uuid,
    pub name: String,
    /// When each member was added.
    pub members: BTreeMap<Uuid, i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AudienceTags(BTreeMap<Uuid, AudienceTag>);

impl AudienceTags {
    pub fn create(&mut self, tag: Uuid, owner: Uuid, name: &str) {
        let created = AudienceTag {
            owner,
            name: name.to_owned(),
            members: BTreeMap::new(),
        };
        self.0.insert(tag, created);
    }

    pub fn rename(&mut self, tag: Uuid, name: &str) {
        if let Some(tag) = self.0.get_mut(&tag) {
            name.clone_into(&mut tag.name);
        }
    }

    pub fn delete(&mut self, tag: Uuid) {
        self.0.remove(&tag);
    }

    /// Keeps the time of the first of several until the member is removed.
    pub fn add(&mut self, tag: Uuid, member: Uuid, at: i64) {
        if let Some(tag) = self.0.get_mut(&tag) {
            tag.members.entry(member).or_insert(at);
        }
    }

    pub fn remove(&mut self, tag: Uuid, member: Uuid) {
        if let Some(tag) = self.0.get_mut(&tag) {
            tag.members.remove(&member);
        }
    }

    /// Ends the memberships of both accounts in the tags of the other.
    pub fn disconnect(&mut self, a: Uuid, b: Uuid) {
        for tag in self.0.values_mut() {
            if tag.owner == a {
                tag.members.remove(&b);
            } else if tag.owner == b {
                tag.members.remove(&a);
            }
        }
    }

    pub fn get(&self, tag: Uuid) -> Option<&AudienceTag> {
        self.0.get(&tag)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Uuid, &AudienceTag)> {
        self.0.iter().map(|(id, tag)| (*id, tag))
    }

    /// The tags of an owner, in the order of their ids.
    pub fn of_owner(&self, owner: Uuid) -> impl Iterator<Item = (Uuid, &AudienceTag)> {
        self.iter().filter(move |(_, tag)| tag.owner == owner)
    }

    /// Those of an owner's tags that have this member.
    pub fn of(&self, owner: Uuid, member: Uuid) -> impl Iterator<Item = (Uuid, &AudienceTag)> {
        let tags = self.of_owner(owner);
        tags.filter(move |(_, tag)| tag.members.contains_key(&member))
    }

    pub fn is_owner(&self, owner: Uuid, tag: Uuid) -> bool {
        self.get(tag).is_some_and(|tag| tag.owner == owner)
    }

    pub fn added_at(&self, tag: Uuid, member: Uuid) -> Option<i64> {
        self.get(tag)?.members.get(&member).copied()
    }

    /// Whether there is no such tag, and none of the owner has the name.
    pub fn is_free(&self, tag: Uuid, owner: Uuid, name: &str) -> bool {
        let mut of_owner = self.of_owner(owner);
        !self.0.contains_key(&tag) && !of_owner.any(|(_, tag)| tag.name == name)
    }

    /// Takes over the times of the memberships that stand, which no answer to a command contains.
    pub fn set_times(&mut self, members: impl IntoIterator<Item = (Uuid, Uuid, i64)>) {
        for (tag, member, at) in members {
            let tag = self.0.get_mut(&tag);
            if let Some(known) = tag.and_then(|tag| tag.members.get_mut(&member)) {
                *known = at;
            }
        }
    }
}
