//! A line of an import file, parsed and checked.

use chrono::{DateTime, Utc};
use feedmill_events::id;
use serde::Deserialize;

use super::Name;
use crate::domain::{DisplayName, Handle, MessageText, Moment, PostText, TextError, Title};

/// The format, as DESIGN.md gives it. Times are RFC 3339; ids are whatever the other community called its things.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Raw {
    Account {
        id: String,
        handle: String,
        display_name: String,
        at: DateTime<Utc>,
    },
    Follow {
        from: String,
        to: String,
        at: DateTime<Utc>,
    },
    Unfollow {
        from: String,
        to: String,
        at: DateTime<Utc>,
    },
    Post {
        id: String,
        author: String,
        text: String,
        reply_to: Option<String>,
        at: DateTime<Utc>,
    },
    Like {
        user: String,
        post: String,
        at: DateTime<Utc>,
    },
    Unlike {
        user: String,
        post: String,
        at: DateTime<Utc>,
    },
    Conversation {
        id: String,
        members: Vec<String>,
        title: Option<String>,
        at: DateTime<Utc>,
    },
    Message {
        id: String,
        conversation: String,
        sender: String,
        text: String,
        at: DateTime<Utc>,
    },
    Read {
        conversation: String,
        user: String,
        up_to: String,
        at: DateTime<Utc>,
    },
}

/// What a record says was done. Names are the file's.
#[derive(Debug, Clone)]
pub enum Action {
    Account {
        handle: Handle,
        display_name: DisplayName,
    },
    Follow {
        from: String,
        to: String,
    },
    Unfollow {
        from: String,
        to: String,
    },
    Post {
        author: String,
        text: PostText,
        reply_to: Option<String>,
    },
    Like {
        user: String,
        post: String,
    },
    Unlike {
        user: String,
        post: String,
    },
    Conversation {
        members: Vec<String>,
        title: Option<Title>,
    },
    Message {
        conversation: String,
        sender: String,
        text: MessageText,
    },
    Read {
        conversation: String,
        user: String,
        up_to: String,
    },
}

#[derive(Debug, Clone)]
pub struct Record {
    /// What tells this record from every other: its type, and its id or, for a link, its ends and time.
    pub key: Name,
    pub at: DateTime<Utc>,
    pub action: Action,
}

impl Record {
    /// When it happened; the id that comes of it depends on the record alone, so it is the same on every run.
    pub fn moment(&self) -> Moment {
        let (kind, record) = &self.key;
        let hash = id::fnv1a(kind.bytes().chain([0]).chain(record.bytes()));
        Moment {
            millis: self.at.timestamp_millis(),
            counter: (hash >> 52) as u16,
            random: hash,
        }
    }

    /// Whether others can name it.
    pub fn makes_a_thing(&self) -> bool {
        matches!(
            self.action,
            Action::Account { .. }
                | Action::Post { .. }
                | Action::Conversation { .. }
                | Action::Message { .. }
        )
    }
}

impl Action {
    pub fn references(&self) -> Vec<Name> {
        let account = |name: &String| ("account", name.clone());
        let post = |name: &String| ("post", name.clone());
        match self {
            Self::Account { .. } => Vec::new(),
            Self::Follow { from, to } | Self::Unfollow { from, to } => {
                vec![account(from), account(to)]
            }
            Self::Post {
                author, reply_to, ..
            } => [account(author)]
                .into_iter()
                .chain(reply_to.iter().map(post))
                .collect(),
            Self::Like { user, post: liked } | Self::Unlike { user, post: liked } => {
                vec![account(user), post(liked)]
            }
            Self::Conversation { members, .. } => members.iter().map(account).collect(),
            Self::Message {
                conversation,
                sender,
                ..
            } => {
                vec![("conversation", conversation.clone()), account(sender)]
            }
            Self::Read {
                conversation,
                user,
                up_to,
            } => {
                vec![
                    ("conversation", conversation.clone()),
                    account(user),
                    ("message", up_to.clone()),
                ]
            }
        }
    }
}

/// Parses a line. The error is for whoever made the file, and names the field.
pub fn parse(line: &[u8]) -> Result<Record, String> {
    let raw: Raw = serde_json::from_slice(line).map_err(|error| describe(&error))?;
    let link = |kind, from: &str, to: &str, at: DateTime<Utc>| {
        (kind, format!("{from}>{to}@{}", at.timestamp_millis()))
    };
    let (key, at, action) = match raw {
        Raw::Account {
            id,
            handle,
            display_name,
            at,
        } => {
            let handle = text("handle", handle)?;
            (
                ("account", id),
                at,
                Action::Account {
                    handle,
                    display_name: text("display_name", display_name)?,
                },
            )
        }
        Raw::Follow { from, to, at } => (
            link("follow", &from, &to, at),
            at,
            Action::Follow { from, to },
        ),
        Raw::Unfollow { from, to, at } => (
            link("unfollow", &from, &to, at),
            at,
            Action::Unfollow { from, to },
        ),
        Raw::Post {
            id,
            author,
            text: raw,
            reply_to,
            at,
        } => (
            ("post", id),
            at,
            Action::Post {
                author,
                text: text("text", raw)?,
                reply_to,
            },
        ),
        Raw::Like { user, post, at } => (
            link("like", &user, &post, at),
            at,
            Action::Like { user, post },
        ),
        Raw::Unlike { user, post, at } => (
            link("unlike", &user, &post, at),
            at,
            Action::Unlike { user, post },
        ),
        Raw::Conversation {
            id,
            members,
            title,
            at,
        } => {
            let title = title.map(|title| text("title", title)).transpose()?;
            if members.len() > 1_000 {
                return Err("members: has more than 1000 names".to_owned());
            }
            (
                ("conversation", id),
                at,
                Action::Conversation { members, title },
            )
        }
        Raw::Message {
            id,
            conversation,
            sender,
            text: raw,
            at,
        } => (
            ("message", id),
            at,
            Action::Message {
                conversation,
                sender,
                text: text("text", raw)?,
            },
        ),
        Raw::Read {
            conversation,
            user,
            up_to,
            at,
        } => {
            let (kind, record) = link("read", &user, &up_to, at);
            (
                (kind, format!("{conversation}:{record}")),
                at,
                Action::Read {
                    conversation,
                    user,
                    up_to,
                },
            )
        }
    };
    if key.1.is_empty() || key.1.len() > 600 || key.1.contains('\0') {
        return Err("id: must have 1 to 200 characters, and no NUL".to_owned());
    }
    if at.timestamp_millis() < 0 {
        return Err("at: is before 1970".to_owned());
    }
    Ok(Record { key, at, action })
}

fn text<T: TryFrom<String, Error = TextError>>(field: &str, raw: String) -> Result<T, String> {
    T::try_from(raw).map_err(|error| format!("{field}: {error}"))
}

/// serde_json's own words, without the "line 1" that would be mistaken for the file's.
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

    #[test]
    fn a_record_has_the_same_moment_on_every_run() {
        let line = br#"{"type":"post","id":"p1","author":"u1","text":"hello","at":"2004-01-16T14:56:01.001Z"}"#;
        let (a, b) = (parse(line).unwrap().moment(), parse(line).unwrap().moment());
        assert_eq!(
            (a.millis, a.counter, a.random),
            (b.millis, b.counter, b.random)
        );
        assert_eq!(a.millis, 1_074_264_961_001);
    }

    #[test]
    fn what_is_broken_is_named() {
        let reason = |line: &str| parse(line.as_bytes()).unwrap_err();
        assert!(reason("{").contains("is not JSON"));
        assert!(reason(r#"{"type":"wave"}"#).contains("unknown variant `wave`"));
        assert!(
            reason(r#"{"type":"follow","from":"a","at":"2004-01-16T14:56:01Z"}"#).contains("`to`")
        );
        assert!(
            reason(r#"{"type":"follow","from":"a","to":"b","at":"yesterday"}"#).contains("input")
        );
        assert!(
            reason(
                r#"{"type":"post","id":"p","author":"u","text":" ","at":"2004-01-16T14:56:01Z"}"#
            )
            .starts_with("text: must have 1 to 5000")
        );
        assert!(
            reason(r#"{"type":"like","user":"u","post":"p","at":"2004-01-16T14:56:01Z","x":1}"#)
                .contains("`x`")
        );
    }
}
