//! Commands, what comes of them, and why they are refused.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use feedmill_events::{Partition, id};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Bio, DisplayName, Handle, MessageText, PostText, Title};

/// What somebody wants done. Who it is comes beside it: the *actor*, nil for [`Command::CreateAccount`].
#[derive(Debug, Clone)]
pub enum Command {
    /// The hash is kept with the account and is in no event; imported accounts have none.
    CreateAccount {
        handle: Handle,
        display_name: DisplayName,
        password_hash: Option<String>,
    },
    /// An account of somebody else's identity provider, on first sight. Hints that do not fit are ignored.
    EnsureAccount {
        account: Uuid,
        handle_hint: Option<String>,
        name_hint: Option<String>,
    },
    ChangeProfile {
        handle: Option<Handle>,
        display_name: Option<DisplayName>,
        bio: Option<Bio>,
    },
    CreatePost {
        text: PostText,
        reply_to: Option<Uuid>,
    },
    DeletePost {
        post: Uuid,
    },
    Like {
        post: Uuid,
    },
    Unlike {
        post: Uuid,
    },
    Follow {
        user: Uuid,
    },
    Unfollow {
        user: Uuid,
    },
    /// `members` may name the actor, who is in it in any case. `creator` is the actor where somebody starts it
    /// now, and None where it is imported: its record does not say who did.
    StartConversation {
        members: BTreeSet<Uuid>,
        title: Option<Title>,
        creator: Option<Uuid>,
    },
    SendMessage {
        conversation: Uuid,
        text: MessageText,
    },
    MarkRead {
        conversation: Uuid,
        up_to: Uuid,
    },
    MarkNotificationsRead {
        up_to: Uuid,
    },
}

impl Command {
    /// Where its events go, and so whose lock it needs. Known from the command alone.
    pub fn partition(&self, actor: Uuid) -> Partition {
        match self {
            Self::CreateAccount { handle, .. } => id::partition_of_key(handle.as_str().bytes()),
            Self::EnsureAccount { account, .. } => Partition::of(*account),
            Self::ChangeProfile { .. }
            | Self::CreatePost { reply_to: None, .. }
            | Self::MarkNotificationsRead { .. } => Partition::of(actor),
            Self::CreatePost {
                reply_to: Some(post),
                ..
            }
            | Self::DeletePost { post }
            | Self::Like { post }
            | Self::Unlike { post } => Partition::of(*post),
            Self::Follow { user } | Self::Unfollow { user } => Partition::of(*user),
            Self::StartConversation { members, .. } => {
                let mut everyone = members.clone();
                everyone.insert(actor);
                id::partition_of_key(everyone.into_iter().flat_map(Uuid::into_bytes))
            }
            Self::SendMessage { conversation, .. } | Self::MarkRead { conversation, .. } => {
                Partition::of(*conversation)
            }
        }
    }

    /// Its name in metrics and spans.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateAccount { .. } => "create_account",
            Self::EnsureAccount { .. } => "ensure_account",
            Self::ChangeProfile { .. } => "change_profile",
            Self::CreatePost { .. } => "create_post",
            Self::DeletePost { .. } => "delete_post",
            Self::Like { .. } => "like",
            Self::Unlike { .. } => "unlike",
            Self::Follow { .. } => "follow",
            Self::Unfollow { .. } => "unfollow",
            Self::StartConversation { .. } => "start_conversation",
            Self::SendMessage { .. } => "send_message",
            Self::MarkRead { .. } => "mark_read",
            Self::MarkNotificationsRead { .. } => "mark_notifications_read",
        }
    }
}

/// An account as others see it beside what it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub id: Uuid,
    pub handle: String,
    pub display_name: String,
}

/// What an accepted command answers. Serializable, since an idempotency key brings the first one back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Account {
        card: Card,
        bio: String,
    },
    Post {
        id: Uuid,
        author: Card,
        text: String,
        reply_to: Option<Uuid>,
        created_at: DateTime<Utc>,
    },
    /// `created` is false where the same two already had one.
    Conversation {
        id: Uuid,
        title: Option<String>,
        members: Vec<Card>,
        created: bool,
    },
    Message {
        id: Uuid,
        sender_id: Uuid,
        text: String,
        created_at: DateTime<Utc>,
    },
    Done,
}

/// What a rejection is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    Account,
    Post,
    Conversation,
    Message,
}

/// Why a command is refused. It then changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such account")]
    UnknownActor,
    /// `field`, where the body named it and not the path.
    #[error("there is no such {thing:?}")]
    NotFound {
        thing: Thing,
        field: Option<&'static str>,
    },
    #[error("only its author may do that")]
    NotYours,
    #[error("the handle is taken")]
    HandleTaken,
    #[error("nobody follows themselves")]
    SelfFollow,
    #[error("a conversation needs somebody else")]
    NoOtherMember,
    #[error("a conversation has at most {0} members")]
    TooManyMembers(usize),
    /// It would hide what is yet to come.
    #[error("is in the future")]
    FutureMark,
}
