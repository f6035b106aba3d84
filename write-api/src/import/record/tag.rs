//! Records of audience tags and their members.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{Command, TagCommand, TagLimits},
    import::record_type::{Names, RecordType, key_of_ends, text},
};

/// An import is not limited: the old system may have allowed more.
const NO_LIMITS: TagLimits = TagLimits {
    tags: u32::MAX,
    members: u32::MAX,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagRecord {
    id: String,
    owner: String,
    name: String,
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagDeletedRecord {
    id: String,
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagMemberRecord {
    tag: String,
    user: String,
    at: DateTime<Utc>,
}

impl RecordType for TagRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let owner = names.find("account", &self.owner)?;
        let command = TagCommand::Create {
            name: text("name", &self.name)?,
            limits: NO_LIMITS,
        };
        Ok((owner, command.into()))
    }
}

impl RecordType for TagDeletedRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        key_of_ends(&self.id, "", self.at)
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let (tag, owner) = names.find_tag(&self.id)?;
        Ok((owner, TagCommand::Delete { tag }.into()))
    }

    fn creates_resource(&self) -> bool {
        false
    }
}

impl TagMemberRecord {
    pub fn adds(self) -> (&'static str, Box<dyn RecordType>) {
        ("tag_member", Box::new(MemberRecord(self, true)))
    }

    pub fn removes(self) -> (&'static str, Box<dyn RecordType>) {
        ("tag_member_removed", Box::new(MemberRecord(self, false)))
    }
}

/// A record, and whether it adds (true) or removes the member.
struct MemberRecord(TagMemberRecord, bool);

impl RecordType for MemberRecord {
    fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    fn key(&self) -> String {
        key_of_ends(&self.0.tag, &self.0.user, self.0.at)
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let (tag, owner) = names.find_tag(&self.0.tag)?;
        let member = names.find("account", &self.0.user)?;
        let command = if self.1 {
            TagCommand::AddMember {
                tag,
                member,
                limits: NO_LIMITS,
            }
        } else {
            TagCommand::RemoveMember { tag, member }
        };
        Ok((owner, command.into()))
    }

    fn creates_resource(&self) -> bool {
        false
    }
}
