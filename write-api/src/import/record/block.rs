//! Records of blocks that began or ended.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{BlockCommand, Command},
    import::record_type::{Names, RecordType, key_of_ends},
};

/// `from` blocks `to`, or no longer does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockRecord {
    from: String,
    to: String,
    at: DateTime<Utc>,
}

impl BlockRecord {
    pub fn begins(self) -> (&'static str, Box<dyn RecordType>) {
        ("block", Box::new(EdgeRecord(self, true)))
    }

    pub fn ends(self) -> (&'static str, Box<dyn RecordType>) {
        ("unblock", Box::new(EdgeRecord(self, false)))
    }
}

/// A record, and whether the block begins or ends.
struct EdgeRecord(BlockRecord, bool);

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
            BlockCommand::Block { other }
        } else {
            BlockCommand::Unblock { other }
        };
        Ok((from, command.into()))
    }

    fn creates_resource(&self) -> bool {
        false
    }
}
