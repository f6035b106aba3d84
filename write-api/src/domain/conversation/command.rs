//! The commands of conversations.

use std::collections::BTreeSet;

use feedmill_events::{Partition, id};
use uuid::Uuid;

use super::{
    Conversations, MAX_MEMBERS,
    decide::{self, everyone, summaries},
    members, pair,
};
use crate::domain::{
    account::Accounts,
    clock::{Moment, time},
    connection::Connections,
    decision::{Decision, Outcome, Rejection},
    stored_outcome::StoredOutcome,
    text::{MessageText, Title},
};

#[derive(Debug, Clone)]
pub enum ConversationCommand {
    /// The actor is a member, whether or not `members` names them. `creator` is None for an imported conversation,
    /// whose creator is not known.
    Start {
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
    /// Deletes a message of the actor.
    DeleteMessage {
        conversation: Uuid,
        message: Uuid,
    },
    /// Mutes or unmutes the conversation for the actor only.
    SetMuted {
        conversation: Uuid,
        muted: bool,
    },
    AddMember {
        conversation: Uuid,
        account: Uuid,
    },
    /// The actor leaves the group. `account` must be the actor: nobody can remove another member.
    RemoveMember {
        conversation: Uuid,
        account: Uuid,
    },
    /// None removes the title.
    Rename {
        conversation: Uuid,
        title: Option<Title>,
    },
}

impl ConversationCommand {
    pub fn partition(&self, actor: Uuid) -> Partition {
        match self {
            // The same members meet in one partition, so two conversations of one pair cannot start at once.
            Self::Start { members, .. } => {
                let everyone = everyone(members, actor);
                id::partition_of_key(everyone.into_iter().flat_map(Uuid::into_bytes))
            }
            Self::SendMessage { conversation, .. }
            | Self::DeleteMessage { conversation, .. }
            | Self::MarkRead { conversation, .. }
            | Self::SetMuted { conversation, .. }
            | Self::AddMember { conversation, .. }
            | Self::RemoveMember { conversation, .. }
            | Self::Rename { conversation, .. } => Partition::of(*conversation),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start_conversation",
            Self::SendMessage { .. } => "send_message",
            Self::DeleteMessage { .. } => "delete_message",
            Self::MarkRead { .. } => "mark_read",
            Self::SetMuted { muted: true, .. } => "mute_conversation",
            Self::SetMuted { muted: false, .. } => "unmute_conversation",
            Self::AddMember { .. } => "add_member",
            Self::RemoveMember { .. } => "remove_member",
            Self::Rename { .. } => "rename_conversation",
        }
    }

    pub fn request(
        &self,
        actor: Uuid,
        accounts: &mut Accounts,
        connections: &mut Connections,
        conversations: &mut Conversations,
    ) {
        if let Self::AddMember { account, .. } = self {
            connections.request_pair(actor, *account);
        }
        match self {
            // Will be rejected, without loading any of them.
            Self::Start { members, .. } if members.len() > MAX_MEMBERS => {}
            Self::Start { members, .. } => {
                for member in members {
                    accounts.request(*member);
                }
                if let Some(pair) = pair(members.iter().copied().chain([actor])) {
                    conversations.request_pair(pair);
                }
            }
            Self::SendMessage { conversation, .. } | Self::SetMuted { conversation, .. } => {
                conversations.members.request((*conversation, actor));
            }
            Self::AddMember {
                conversation,
                account,
            }
            | Self::RemoveMember {
                conversation,
                account,
            } => {
                accounts.request(*account);
                conversations.members.request((*conversation, actor));
                conversations.members.request((*conversation, *account));
                conversations.rows.request(*conversation);
            }
            Self::Rename { conversation, .. } => {
                conversations.members.request((*conversation, actor));
                conversations.rows.request(*conversation);
            }
            Self::MarkRead {
                conversation,
                up_to: message,
            }
            | Self::DeleteMessage {
                conversation,
                message,
            } => {
                conversations.members.request((*conversation, actor));
                conversations.messages.request((*conversation, *message));
            }
        }
    }

    pub fn decide(
        &self,
        accounts: &Accounts,
        connections: &Connections,
        conversations: &Conversations,
        actor: Uuid,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        match self {
            Self::Start {
                members,
                title,
                creator,
            } => {
                let id = moment.id(self.partition(actor));
                let everyone = everyone(members, actor);
                decide::start(
                    accounts,
                    conversations,
                    id,
                    everyone,
                    title.as_ref(),
                    *creator,
                )
            }
            Self::SendMessage { conversation, text } => {
                decide::send(conversations, actor, moment, *conversation, text)
            }
            Self::MarkRead {
                conversation,
                up_to,
            } => decide::mark_read(conversations, actor, *conversation, *up_to),
            Self::DeleteMessage {
                conversation,
                message,
            } => decide::delete(conversations, actor, *conversation, *message),
            Self::SetMuted {
                conversation,
                muted,
            } => decide::set_muted(conversations, actor, *conversation, *muted),
            Self::AddMember {
                conversation,
                account,
            } => {
                let now = moment.id(Partition::of(*conversation));
                let may_return = connections.are_connected(actor, *account);
                members::add(
                    accounts,
                    conversations,
                    actor,
                    now,
                    *conversation,
                    *account,
                    may_return,
                )
            }
            Self::RemoveMember {
                conversation,
                account,
            } => {
                let now = moment.id(Partition::of(*conversation));
                members::remove(conversations, actor, now, *conversation, *account)
            }
            Self::Rename {
                conversation,
                title,
            } => decide::rename(conversations, actor, *conversation, title.as_ref()),
        }
    }

    /// See [`Command::restore`](super::Command::restore).
    pub fn restore(
        &self,
        stored: StoredOutcome,
        accounts: &Accounts,
        conversations: &Conversations,
        actor: Uuid,
    ) -> Option<Outcome> {
        match (self, stored) {
            (Self::Start { members, title, .. }, stored) => {
                let everyone = everyone(members, actor);
                let (id, title, created) = match stored {
                    StoredOutcome::Conversation { id, created: true } => {
                        let title = title.as_ref().map(|title| title.as_str().to_owned());
                        (id, title, true)
                    }
                    StoredOutcome::Conversation { created: false, .. }
                    | StoredOutcome::Unchanged => {
                        let existing = conversations.of_pair(pair(everyone.iter().copied())?)?;
                        let found = conversations.rows.get(&existing);
                        (existing, found.and_then(|found| found.title.clone()), false)
                    }
                    _ => return None,
                };
                Some(Outcome::Conversation {
                    id,
                    title,
                    members: summaries(accounts, &everyone)?,
                    created,
                })
            }
            (Self::SendMessage { text, .. }, StoredOutcome::Message { id }) => {
                Some(Outcome::Message {
                    id,
                    sender_id: actor,
                    text: text.as_str().to_owned(),
                    created_at: time(id::millis(id)),
                })
            }
            (Self::SendMessage { .. }, _) => None,
            (
                Self::DeleteMessage { .. }
                | Self::MarkRead { .. }
                | Self::SetMuted { .. }
                | Self::AddMember { .. }
                | Self::RemoveMember { .. }
                | Self::Rename { .. },
                stored,
            ) => stored.done(),
        }
    }
}
