//! Records that add or remove a link. They have two forms, by what the link points at.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{Command, LinkAction, LinkCommand, LinkKind},
    import::record_type::{Name, Names, RecordType, key_of_ends},
};

/// An account's link to a post.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostLinkRecord {
    user: String,
    post: String,
    at: DateTime<Utc>,
}

/// An account's link to an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountLinkRecord {
    from: String,
    to: String,
    at: DateTime<Utc>,
}

type TypedRecord = (&'static str, Box<dyn RecordType>);

impl PostLinkRecord {
    pub fn adds(self, kind: LinkKind) -> TypedRecord {
        link(
            kind,
            LinkAction::Add,
            self.user,
            ("post", self.post),
            self.at,
        )
    }

    pub fn removes(self, kind: LinkKind) -> TypedRecord {
        link(
            kind,
            LinkAction::Remove,
            self.user,
            ("post", self.post),
            self.at,
        )
    }
}

impl AccountLinkRecord {
    pub fn adds(self, kind: LinkKind) -> TypedRecord {
        link(
            kind,
            LinkAction::Add,
            self.from,
            ("account", self.to),
            self.at,
        )
    }

    pub fn removes(self, kind: LinkKind) -> TypedRecord {
        link(
            kind,
            LinkAction::Remove,
            self.from,
            ("account", self.to),
            self.at,
        )
    }
}

/// The type of a record is the name of its command.
fn link(
    kind: LinkKind,
    action: LinkAction,
    account: String,
    target: Name,
    at: DateTime<Utc>,
) -> TypedRecord {
    let link = LinkRecord {
        kind,
        action,
        account,
        target,
        at,
    };
    (kind.command_name(action), Box::new(link))
}

struct LinkRecord {
    kind: LinkKind,
    action: LinkAction,
    account: String,
    target: Name,
    at: DateTime<Utc>,
}

impl RecordType for LinkRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        key_of_ends(&self.account, &self.target.1, self.at)
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let account = names.find("account", &self.account)?;
        let (resource, target) = &self.target;
        let command = LinkCommand {
            kind: self.kind,
            action: self.action,
            target: names.find(resource, target)?,
        };
        Ok((account, command.into()))
    }

    fn creates_resource(&self) -> bool {
        false
    }
}
