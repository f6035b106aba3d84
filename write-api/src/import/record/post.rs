//! Records of posts, their audiences and their deletions.

use chrono::{DateTime, Utc};
use feedmill_events::event::v1::Audience;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{
        Command, PostCommand,
        audience::{AudienceKind, audience},
    },
    import::record_type::{Names, RecordType, key_of_ends, text},
};

/// A root post without an audience is public. A reply has no audience.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostRecord {
    id: String,
    author: String,
    text: String,
    reply_to: Option<String>,
    audience: Option<String>,
    tags: Option<Vec<String>>,
    at: DateTime<Utc>,
}

/// The author of a root post changes its audience.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudienceRecord {
    post: String,
    audience: String,
    tags: Option<Vec<String>>,
    at: DateTime<Utc>,
}

/// The author deletes a post.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostDeletedRecord {
    id: String,
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
        let audience = match (reply_to, &self.audience, &self.tags) {
            (None, kind, tags) => {
                let audience = parse_audience(names, kind.as_ref(), tags.as_ref())?;
                Some(audience.unwrap_or(Audience::Public))
            }
            (Some(_), None, None) => None,
            (Some(_), Some(_), _) => return Err("audience: a reply has none".to_owned()),
            (Some(_), None, Some(_)) => return Err("tags: a reply has none".to_owned()),
        };
        let command = PostCommand::Create {
            text,
            reply_to,
            audience,
        };
        Ok((author, command.into()))
    }
}

impl RecordType for AudienceRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        key_of_ends(&self.post, "", self.at)
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let (post, author) = names.find_post(&self.post)?;
        let audience = parse_audience(names, Some(&self.audience), self.tags.as_ref())?;
        let audience = audience.ok_or("audience: is missing")?;
        Ok((author, PostCommand::SetAudience { post, audience }.into()))
    }

    fn creates_resource(&self) -> bool {
        false
    }
}

impl RecordType for PostDeletedRecord {
    fn at(&self) -> DateTime<Utc> {
        self.at
    }

    fn key(&self) -> String {
        key_of_ends(&self.id, "", self.at)
    }

    fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        let (post, author) = names.find_post(&self.id)?;
        Ok((author, PostCommand::Delete { post }.into()))
    }

    fn creates_resource(&self) -> bool {
        false
    }
}

/// The fields `audience` and `tags`, which are names of tags. None if there is no audience.
fn parse_audience(
    names: &mut dyn Names,
    kind: Option<&String>,
    tags: Option<&Vec<String>>,
) -> Result<Option<Audience>, String> {
    let kind = kind.cloned().map(AudienceKind::try_from).transpose();
    let kind = kind.map_err(|error| format!("audience: {error}"))?;
    let mut find = |tag: &String| names.find_tag(tag).map(|(tag, _)| tag);
    let tags = tags.map(|tags| tags.iter().map(&mut find).collect::<Result<Vec<Uuid>, _>>());
    audience(kind, tags.transpose()?).map_err(|error| format!("tags: {error}"))
}
