//! Import records, as lines of a file.

use serde_json::{Value, json};

use crate::{link::LinkKind, oracle::time};

#[derive(Debug, Clone)]
pub struct Record {
    pub what: What,
    /// Unix milliseconds.
    pub at: i64,
}

/// An audience, with the names of tags.
#[derive(Debug, Clone)]
pub enum NamedAudience {
    Public,
    Connections,
    Tags(Vec<String>),
    Me,
}

impl NamedAudience {
    fn name(&self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Connections => "connections",
            Self::Tags(_) => "tags",
            Self::Me => "me",
        }
    }

    fn tags(&self) -> Option<&[String]> {
        match self {
            Self::Tags(tags) => Some(tags),
            Self::Public | Self::Connections | Self::Me => None,
        }
    }
}

#[derive(Debug, Clone)]
pub enum What {
    Account {
        id: String,
        handle: String,
        display_name: String,
    },
    Post {
        id: String,
        author: String,
        text: String,
        reply_to: Option<String>,
        /// None for a reply, and for a root post that names none.
        audience: Option<NamedAudience>,
    },
    Audience {
        post: String,
        audience: NamedAudience,
    },
    PostDeleted {
        id: String,
    },
    /// Makes a link, or undoes it.
    Link {
        kind: LinkKind,
        make: bool,
        from: String,
        to: String,
    },
    /// Two accounts connect, or their connection ends.
    Connection {
        connect: bool,
        from: String,
        to: String,
    },
    /// Blocks an account, or unblocks it.
    Block {
        block: bool,
        from: String,
        to: String,
    },
    Tag {
        id: String,
        owner: String,
        name: String,
    },
    TagDeleted {
        id: String,
    },
    TagMember {
        add: bool,
        tag: String,
        user: String,
    },
    Conversation {
        id: String,
        members: Vec<String>,
        title: Option<String>,
    },
    Message {
        id: String,
        conversation: String,
        sender: String,
        text: String,
    },
    Read {
        conversation: String,
        user: String,
        up_to: String,
    },
}

impl Record {
    /// The record as a line of an import file.
    pub fn line(&self) -> String {
        let mut json = match &self.what {
            What::Account {
                id,
                handle,
                display_name,
            } => {
                json!({"type": "account", "id": id, "handle": handle, "display_name": display_name})
            }
            What::Post {
                id,
                author,
                text,
                reply_to,
                audience,
            } => {
                let name = audience.as_ref().map(NamedAudience::name);
                let tags = audience.as_ref().and_then(NamedAudience::tags);
                json!({
                    "type": "post", "id": id, "author": author, "text": text, "reply_to": reply_to,
                    "audience": name, "tags": tags,
                })
            }
            What::Audience { post, audience } => {
                let (name, tags) = (audience.name(), audience.tags());
                json!({"type": "audience", "post": post, "audience": name, "tags": tags})
            }
            What::PostDeleted { id } => json!({"type": "post_deleted", "id": id}),
            What::Link {
                kind,
                make,
                from,
                to,
            } => {
                let (account, target) = kind.record_fields();
                json!({"type": kind.record_type(*make), account: from, target: to})
            }
            What::Connection { connect, from, to } => {
                let record_type = if *connect {
                    "connection"
                } else {
                    "disconnection"
                };
                json!({"type": record_type, "from": from, "to": to})
            }
            What::Block { block, from, to } => {
                let record_type = if *block { "block" } else { "unblock" };
                json!({"type": record_type, "from": from, "to": to})
            }
            What::Tag { id, owner, name } => {
                json!({"type": "tag", "id": id, "owner": owner, "name": name})
            }
            What::TagDeleted { id } => json!({"type": "tag_deleted", "id": id}),
            What::TagMember { add, tag, user } => {
                let record_type = if *add {
                    "tag_member"
                } else {
                    "tag_member_removed"
                };
                json!({"type": record_type, "tag": tag, "user": user})
            }
            What::Conversation { id, members, title } => {
                json!({"type": "conversation", "id": id, "members": members, "title": title})
            }
            What::Message {
                id,
                conversation,
                sender,
                text,
            } => {
                json!({"type": "message", "id": id, "conversation": conversation, "sender": sender, "text": text})
            }
            What::Read {
                conversation,
                user,
                up_to,
            } => {
                json!({"type": "read", "conversation": conversation, "user": user, "up_to": up_to})
            }
        };
        if let Some(fields) = json.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
            fields.insert("at".to_owned(), Value::String(time(self.at)));
        }
        json.to_string()
    }
}
