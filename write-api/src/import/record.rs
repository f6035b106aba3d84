//! A line of an import file. Each type of record has its fields, checks and command in one struct; [`RawRecord`] lists the
//! types.

mod account;
mod block;
mod connection;
mod conversation;
mod link;
mod post;
mod tag;

use chrono::{DateTime, Utc};
use feedmill_events::id;
use serde::Deserialize;
use uuid::Uuid;

use self::{
    account::AccountRecord,
    block::BlockRecord,
    connection::ConnectionRecord,
    conversation::{ConversationRecord, MessageRecord, ReadRecord},
    link::{AccountLinkRecord, PostLinkRecord},
    post::{AudienceRecord, PostDeletedRecord, PostRecord},
    tag::{TagDeletedRecord, TagMemberRecord, TagRecord},
};
use super::record_type::{Name, Names, RecordType};
use crate::domain::{Command, LinkKind, Moment};

/// The maximum length of an id, or of the fields of a record without one, in bytes.
const MAX_KEY: usize = 600;

/// The types of records, by the `type` field.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum RawRecord {
    Account(AccountRecord),
    Post(PostRecord),
    Audience(AudienceRecord),
    PostDeleted(PostDeletedRecord),
    Conversation(ConversationRecord),
    Message(MessageRecord),
    Read(ReadRecord),
    Follow(AccountLinkRecord),
    Unfollow(AccountLinkRecord),
    Like(PostLinkRecord),
    Unlike(PostLinkRecord),
    Bookmark(PostLinkRecord),
    Unbookmark(PostLinkRecord),
    Mute(AccountLinkRecord),
    Unmute(AccountLinkRecord),
    Tag(TagRecord),
    TagDeleted(TagDeletedRecord),
    TagMember(TagMemberRecord),
    TagMemberRemoved(TagMemberRecord),
    Connection(ConnectionRecord),
    Disconnection(ConnectionRecord),
    Block(BlockRecord),
    Unblock(BlockRecord),
}

impl RawRecord {
    /// The name of the type, which is also stored in `write.imported`, and the record.
    fn into_record_type(self) -> (&'static str, Box<dyn RecordType>) {
        match self {
            Self::Account(record) => ("account", Box::new(record)),
            Self::Post(record) => ("post", Box::new(record)),
            Self::Audience(record) => ("audience", Box::new(record)),
            Self::PostDeleted(record) => ("post_deleted", Box::new(record)),
            Self::Conversation(record) => ("conversation", Box::new(record)),
            Self::Message(record) => ("message", Box::new(record)),
            Self::Read(record) => ("read", Box::new(record)),
            Self::Follow(link) => link.adds(LinkKind::Follow),
            Self::Unfollow(link) => link.removes(LinkKind::Follow),
            Self::Like(link) => link.adds(LinkKind::Like),
            Self::Unlike(link) => link.removes(LinkKind::Like),
            Self::Bookmark(link) => link.adds(LinkKind::Bookmark),
            Self::Unbookmark(link) => link.removes(LinkKind::Bookmark),
            Self::Mute(link) => link.adds(LinkKind::Mute),
            Self::Unmute(link) => link.removes(LinkKind::Mute),
            Self::Tag(record) => ("tag", Box::new(record)),
            Self::TagDeleted(record) => ("tag_deleted", Box::new(record)),
            Self::TagMember(record) => record.adds(),
            Self::TagMemberRemoved(record) => record.removes(),
            Self::Connection(record) => record.begins(),
            Self::Disconnection(record) => record.ends(),
            Self::Block(record) => record.begins(),
            Self::Unblock(record) => record.ends(),
        }
    }
}

/// A record whose form and texts are valid. [`super::records::Records`] gives it its place in the file.
pub struct Record {
    /// The type and the key of the record, which identify it.
    pub name: Name,
    pub at: DateTime<Utc>,
    /// The names that earlier records must have created.
    pub references: Vec<Name>,
    /// The place among the records of its millisecond in the file, counted from 0.
    ordinal: u32,
    content: Box<dyn RecordType>,
}

impl Record {
    pub fn set_ordinal(&mut self, ordinal: u32) {
        self.ordinal = ordinal;
    }

    /// Distinguishes a record without an id from `before` equal ones of its millisecond. The first of them keeps its name:
    /// versions that imported no other one know it by this name.
    pub fn set_repetition(&mut self, before: u32) {
        if before > 0 {
            self.name.1 = format!("{}#{}", self.name.1, before + 1);
        }
    }

    /// The same on every machine and in every version.
    pub fn name_hash(&self) -> u64 {
        let (record_type, key) = &self.name;
        id::fnv1a(record_type.bytes().chain([0]).chain(key.bytes()))
    }

    /// Depends on the record and its place alone, so that the ids made from it are the same on every run.
    pub fn moment(&self) -> Moment {
        Moment::imported(self.at.timestamp_millis(), self.ordinal, self.name_hash())
    }

    /// Whether later records can refer to this one.
    pub fn creates_resource(&self) -> bool {
        self.content.creates_resource()
    }

    /// The id of an account that an identity provider vouches for.
    pub fn external_account(&self) -> Option<Uuid> {
        self.content.external_account()
    }

    /// The members, if the record is a conversation.
    pub fn members(&self) -> &[String] {
        self.content.members()
    }

    /// The actor and their command.
    pub fn command(&self, names: &mut dyn Names) -> Result<(Uuid, Command), String> {
        self.content.command(names)
    }
}

/// Notes the names that a command asks for.
#[derive(Default)]
struct References(Vec<Name>);

impl Names for References {
    fn find(&mut self, resource: &'static str, name: &str) -> Result<Uuid, String> {
        self.0.push((resource, name.to_owned()));
        Ok(Uuid::nil())
    }

    fn find_tag(&mut self, name: &str) -> Result<(Uuid, Uuid), String> {
        Ok((self.find("tag", name)?, Uuid::nil()))
    }

    fn find_post(&mut self, name: &str) -> Result<(Uuid, Uuid), String> {
        Ok((self.find("post", name)?, Uuid::nil()))
    }
}

/// Parses and checks a line. The error is for the author of the file, and names the field.
pub fn parse(line: &[u8]) -> Result<Record, String> {
    let raw: RawRecord = serde_json::from_slice(line).map_err(|error| describe(&error))?;
    let (record_type, content) = raw.into_record_type();
    let mut references = References::default();
    content.command(&mut references)?;
    let key = content.key();
    if key.is_empty() || key.len() > MAX_KEY || key.contains('\0') {
        return Err(if content.creates_resource() {
            format!("id: must have 1 to {MAX_KEY} bytes, and no NUL")
        } else {
            format!("its fields must have up to {MAX_KEY} bytes together, and no NUL")
        });
    }
    let at = content.at();
    if at.timestamp_millis() < 0 {
        return Err("at: is before 1970".to_owned());
    }
    Ok(Record {
        name: (record_type, key),
        at,
        references: references.0,
        ordinal: 0,
        content,
    })
}

/// The message of serde_json without its "line 1", which is not the line of the file.
fn describe(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((message, _)) if error.is_data() => message.to_owned(),
        Some((message, _)) => format!("is not JSON: {message} (column {})", error.column()),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LinkAction;

    const POST: &str = r#"{"type":"post","id":"p1","author":"u1","text":"hello","reply_to":"p0","at":"2004-01-16T14:56:01.001Z"}"#;

    fn error(line: &str) -> String {
        parse(line.as_bytes()).err().unwrap()
    }

    #[test]
    fn a_record_has_the_same_moment_on_every_run() {
        let (a, b) = (parse(POST.as_bytes()), parse(POST.as_bytes()));
        let (a, b) = (a.ok().unwrap().moment(), b.ok().unwrap().moment());
        assert_eq!(
            (a.millis, a.counter, a.random),
            (b.millis, b.counter, b.random)
        );
        assert_eq!(a.millis, 1_074_264_961_001);
    }

    #[test]
    fn a_record_refers_to_the_names_that_its_command_needs() {
        let record = parse(POST.as_bytes()).ok().unwrap();
        assert_eq!(record.name, ("post", "p1".to_owned()));
        let expected = [("account", "u1".to_owned()), ("post", "p0".to_owned())];
        let mut references = record.references;
        references.sort();
        assert_eq!(references, expected);
    }

    #[test]
    fn a_link_is_recognised_by_its_ends_and_time() {
        let key = |line: &str| parse(line.as_bytes()).ok().unwrap().name;
        let like = r#"{"type":"like","user":"u1","post":"p1","at":"2004-01-16T14:56:01.001Z"}"#;
        assert_eq!(key(like), ("like", "u1>p1@1074264961001".to_owned()));
        let unfollow = r#"{"type":"unfollow","from":"u1","to":"u2","at":"2004-01-16T14:56:01Z"}"#;
        assert_eq!(
            key(unfollow),
            ("unfollow", "u1>u2@1074264961000".to_owned())
        );
        let read = r#"{"type":"read","conversation":"c1","user":"u1","up_to":"m1","at":"2004-01-16T14:56:01Z"}"#;
        assert_eq!(key(read), ("read", "c1:u1>m1@1074264961000".to_owned()));
    }

    #[test]
    fn every_kind_of_link_has_its_records() {
        for kind in LinkKind::ALL {
            for action in [LinkAction::Add, LinkAction::Remove] {
                let record_type = kind.command_name(action);
                let line = format!(r#"{{"type":"{record_type}"}}"#);
                let error = error(&line);
                assert!(error.contains("missing field"), "{record_type}: {error}");
            }
        }
    }

    #[test]
    fn an_error_names_the_field() {
        assert!(error("{").contains("is not JSON"));
        assert!(error(r#"{"type":"wave"}"#).contains("unknown variant `wave`"));
        assert!(
            error(r#"{"type":"follow","from":"a","at":"2004-01-16T14:56:01Z"}"#).contains("`to`")
        );
        assert!(
            error(r#"{"type":"follow","from":"a","to":"b","at":"yesterday"}"#).contains("input")
        );
        assert!(
            error(
                r#"{"type":"post","id":"p","author":"u","text":" ","at":"2004-01-16T14:56:01Z"}"#
            )
            .starts_with("text: must have 1 to 5000")
        );
        assert!(
            error(r#"{"type":"like","user":"u","post":"p","at":"2004-01-16T14:56:01Z","x":1}"#)
                .contains("`x`")
        );
    }
}
