use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{Command, PostCommand},
    import::record_type::{Names, RecordType, text},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostRecord {
    id: String,
    author: String,
    text: String,
    reply_to: Option<String>,
    at: DateTime<Utc>,
}

impl RecordType for PostRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let parent = self.reply_to.as_ref();
        let reply_to = parent
            .map(|parent| names.find("post", parent))
            .transpose()?;
        let author = names.find("account", &self.author)?;
        let text = text("text", &self.text)?;
        Ok((author, PostCommand::Create { text, reply_to }.into()))
    }
}
