//! Records of connections that began or ended.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{Command, ConnectionCommand},
    import::record_type::{Names, RecordType, key_of_ends},
};

/// Two accounts connect. `from` is the one who asked, if that is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionRecord {
    from: String,
    to: String,
    at: DateTime<Utc>,
}

/// The connection of two accounts ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisconnectionRecord {
    from: String,
    to: String,
    at: DateTime<Utc>,
}

impl RecordType for ConnectionRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        key_of_ends(&self.from, &self.to, self.at)
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let from = names.find("account", &self.from)?;
        let other = names.find("account", &self.to)?;
        Ok((from, ConnectionCommand::Connect { other }.into()))
    }

    fn creates_resource(&self) -> bool {
        false
    }
}

impl RecordType for DisconnectionRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        key_of_ends(&self.from, &self.to, self.at)
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let from = names.find("account", &self.from)?;
        let other = names.find("account", &self.to)?;
        Ok((from, ConnectionCommand::End { other }.into()))
    }

    fn creates_resource(&self) -> bool {
        false
    }
}
