use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{AccountCommand, Command},
    import::record_type::{Names, RecordType, text},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRecord {
    id: String,
    handle: String,
    display_name: String,
    at: DateTime<Utc>,
}

impl RecordType for AccountRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn command(&self, _: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let command = AccountCommand::Create {
            handle: text("handle", &self.handle)?,
            display_name: text("display_name", &self.display_name)?,
            password_hash: None,
        };
        Ok((Uuid::nil(), command.into()))
    }
}
