//! Records of connections that began or ended.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{Command, ConnectionCommand},
    import::record_type::{Names, RecordType, key_of_ends},
};

/// Two accounts connect, or their connection ends. If they connect, `from` is the requester, if that is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionRecord {
    from: String,
    to: String,
    at: DateTime<Utc>,
}

impl ConnectionRecord {
    pub fn begins(self) -> (&'static str, Box<dyn RecordType>) {
        ("connection", Box::new(EdgeRecord(self, true)))
    }

    pub fn ends(self) -> (&'static str, Box<dyn RecordType>) {
        ("disconnection", Box::new(EdgeRecord(self, false)))
    }
}

/// A record, and whether the connection begins or ends.
struct EdgeRecord(ConnectionRecord, bool);

impl RecordType for EdgeRecord {
    fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    fn key(&self) -> String {
        key_of_ends(&self.0.from, &self.0.to, self.0.at)
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let from = names.find("account", &self.0.from)?;
        let other = names.find("account", &self.0.to)?;
        let command = if self.1 {
            ConnectionCommand::Connect { other }
        } else {
            ConnectionCommand::End { other }
        };
        Ok((from, command.into()))
    }

    fn creates_resource(&self) -> bool {
        false
    }
}
