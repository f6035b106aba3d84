//! Audience tags and their members.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::oracle::{Oracle, audience_tags::AudienceTag};

impl Oracle {
    fn tag_view(tag: (Uuid, &AudienceTag)) -> Value {
        let (id, tag) = tag;
        json!({"id": id, "name": tag.name, "members_count": tag.members.len()})
    }

    /// The viewer's tags, in the order of their ids.
    pub fn tag_list(&self, viewer: Uuid) -> Vec<Value> {
        self.tags.of_owner(viewer).map(Self::tag_view).collect()
    }

    /// The viewer's tags that have this user; none if the two have a block.
    pub fn tags_of_user(&self, viewer: Uuid, user: Uuid) -> Option<Vec<Value>> {
        let hidden = self.blocks.between(user, viewer);
        let tags = || self.tags.of(viewer, user).map(Self::tag_view).collect();
        (!hidden).then(tags)
    }

    /// None unless the tag is the viewer's.
    pub fn tag(&self, viewer: Uuid, tag: Uuid) -> Option<Value> {
        let found = self.tags.get(tag)?;
        (found.owner == viewer).then(|| Self::tag_view((tag, found)))
    }

    /// Latest first; none unless the tag is the viewer's.
    pub fn tag_members(&self, viewer: Uuid, tag: Uuid) -> Option<Vec<Value>> {
        let found = self.tags.get(tag).filter(|found| found.owner == viewer)?;
        let members = found.members.iter().map(|(member, at)| (*member, *at));
        Some(self.accounts_latest_first(members, "added_at"))
    }
}
