//! The commands of conversations.

use std::collections::BTreeSet;

use feedmill_events::{Partition, PartitionSet, id};
use uuid::Uuid;

use super::{
    Conversations, MAX_MEMBERS,
    contacts::Contacts,
    decide::{self, NewConversation, everyone, summaries},
    members::{self, Addition},
    pair,
};
use crate::domain::{
    account::Accounts,
    block::Blocks,
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
    /// The conversation's partition, in which its events are. Commands that a block can refuse also lock the actor's partition, as
    /// does a block that concerns the actor.
    pub fn partitions(&self, actor: Uuid) -> PartitionSet {
        let mut partitions = PartitionSet::from(self.partition(actor));
        match self {
            Self::Start { .. } | Self::SendMessage { .. } | Self::AddMember { .. } => {
                partitions.insert(Partition::of(actor));
            }
            Self::DeleteMessage { .. }
            | Self::MarkRead { .. }
            | Self::SetMuted { .. }
            | Self::RemoveMember { .. }
            | Self::Rename { .. } => {}
        }
        partitions
    }

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
        blocks: &mut Blocks,
    ) {
        if let Self::AddMember { account, .. } = self {
            connections.request_pair(actor, *account);
            blocks.request_between(actor, *account);
        }
        match self {
            // Will be rejected, without loading any of them.
            Self::Start { members, .. } if members.len() > MAX_MEMBERS => {}
            Self::Start { members, .. } => {
                for member in members {
                    accounts.request(*member);
                    connections.request_pair(actor, *member);
                    blocks.request_between(actor, *member);
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
        blocks: &Blocks,
        actor: Uuid,
        moment: Moment,
    ) -> Result<Decision, Rejection> {
        let contacts = Contacts {
            accounts,
            connections,
            blocks,
        };
        match self {
            Self::Start {
                members,
                title,
                creator,
            } => {
                let new = NewConversation {
                    id: moment.id(self.partition(actor)),
                    everyone: everyone(members, actor),
                    title: title.as_ref(),
                    creator: *creator,
                };
                decide::start(contacts, conversations, new)
            }
            Self::SendMessage { conversation, text } => {
                decide::send(conversations, blocks, actor, moment, *conversation, text)
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
                let addition = Addition {
                    conversation: *conversation,
                    account: *account,
                    actor,
                    now: moment.id(Partition::of(*conversation)),
                };
                members::add(contacts, conversations, &addition)
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
