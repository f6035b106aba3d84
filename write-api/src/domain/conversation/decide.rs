//! The decisions of the commands of conversations, without those on members.

use std::collections::BTreeSet;

use feedmill_events::{
    Event, Partition,
    event::{
        v1::{
            ConversationMuted, ConversationRead, ConversationRenamed, ConversationUnmuted,
            MessageDeleted, MessageSent,
        },
        v2::ConversationCreated,
    },
};
use uuid::Uuid;

use super::{Conversations, MAX_MEMBERS, contacts::Contacts, pair};
use crate::domain::{
    account::Accounts,
    block::Blocks,
    clock::Moment,
    decision::{AccountSummary, Decision, Outcome, Rejection, Resource},
    text::{MessageText, Title},
};

/// None if one of the accounts does not exist.
pub fn summaries(accounts: &Accounts, ids: &BTreeSet<Uuid>) -> Option<Vec<AccountSummary>> {
    let summary = |id: &Uuid| Some(accounts.get(*id)?.summary(*id));
    ids.iter().map(summary).collect()
}

pub fn everyone(members: &BTreeSet<Uuid>, actor: Uuid) -> BTreeSet<Uuid> {
    members.iter().copied().chain([actor]).collect()
}

pub struct NewConversation<'c> {
    pub id: Uuid,
    /// All members.
    pub everyone: BTreeSet<Uuid>,
    pub title: Option<&'c Title>,
    /// None if the conversation is imported.
    pub creator: Option<Uuid>,
}

pub fn start(
    contacts: Contacts<'_>,
    conversations: &Conversations,
    new: NewConversation<'_>,
) -> Result<Decision, Rejection> {
    let NewConversation {
        id,
        everyone,
        title,
        creator,
    } = new;
    if everyone.len() < 2 {
        return Err(Rejection::NoOtherMember);
    }
    if everyone.len() > MAX_MEMBERS {
        return Err(Rejection::TooManyMembers(MAX_MEMBERS));
    }
    let field = Some("members");
    // Nobody knows who started an imported conversation, so no blocks or settings refuse it.
    if let Some(creator) = creator {
        contacts.require_all(creator, &everyone, field)?;
    }
    let members = summaries(contacts.accounts, &everyone)
        .ok_or(Rejection::field_not_found(Resource::Account, "members"))?;
    let title = title.map(|title| title.as_str().to_owned());
    let existing = pair(everyone.iter().copied()).and_then(|pair| conversations.of_pair(pair));
    if let Some(existing) = existing {
        let found = conversations.rows.get(&existing);
        return Ok(Decision::unchanged(Outcome::Conversation {
            id: existing,
            title: found.and_then(|found| found.title.clone()),
            members,
            created: false,
        }));
    }
    if let Some(creator) = creator {
        for member in &everyone {
            contacts.require_acceptance(creator, *member, field)?;
        }
    }
    let event = ConversationCreated {
        conversation: id,
        members: everyone.into_iter().collect(),
        title: title.clone(),
        creator,
    };
    let outcome = Outcome::Conversation {
        id,
        title,
        members,
        created: true,
    };
    Ok(Decision::new(Event::ConversationCreated(event), outcome))
}

pub fn mark_read(
    conversations: &Conversations,
    actor: Uuid,
    conversation: Uuid,
    up_to: Uuid,
) -> Result<Decision, Rejection> {
    let member = conversations.member(conversation, actor)?;
    let mark = member.read_up_to;
    let exists = conversations.messages.get(&(conversation, up_to)).is_some();
    if !exists || !member.sees(up_to) {
        return Err(Rejection::field_not_found(Resource::Message, "up_to"));
    }
    if mark.is_some_and(|mark| mark >= up_to) {
        return Ok(Decision::unchanged(Outcome::Done));
    }
    Ok(Decision::done(Event::ConversationRead(ConversationRead {
        conversation,
        user: actor,
        up_to,
    })))
}

pub fn send(
    conversations: &Conversations,
    blocks: &Blocks,
    actor: Uuid,
    moment: Moment,
    conversation: Uuid,
    text: &MessageText,
) -> Result<Decision, Rejection> {
    conversations.member(conversation, actor)?;
    let pair = conversations.pair_of.get(&conversation);
    if pair.is_some_and(|(low, high)| blocks.is_between(*low, *high)) {
        return Err(Rejection::ConversationClosed);
    }
    let message = moment.id(Partition::of(conversation));
    let event = MessageSent {
        conversation,
        message,
        sender: actor,
        text: text.as_str().to_owned(),
    };
    let outcome = Outcome::Message {
        id: message,
        sender_id: actor,
        text: text.as_str().to_owned(),
        created_at: moment.at(),
    };
    Ok(Decision::new(Event::MessageSent(event), outcome))
}

/// The sender can delete a message, even after leaving the conversation. Deleting a message that does not exist, or that the
/// actor does not see, succeeds and changes nothing, so that the answer does not tell whether the message exists.
pub fn delete(
    conversations: &Conversations,
    actor: Uuid,
    conversation: Uuid,
    message: Uuid,
) -> Result<Decision, Rejection> {
    let sender = conversations.messages.get(&(conversation, message));
    let Some(sender) = sender.copied() else {
        return Ok(Decision::unchanged(Outcome::Done));
    };
    if sender != actor {
        let member = conversations.member(conversation, actor);
        return if member.is_ok_and(|member| member.sees(message)) {
            Err(Rejection::NotYours)
        } else {
            Ok(Decision::unchanged(Outcome::Done))
        };
    }
    let event = MessageDeleted {
        conversation,
        message,
        sender,
    };
    Ok(Decision::done(Event::MessageDeleted(event)))
}

/// Unmuting succeeds for any conversation, so that the answer does not tell whether the conversation exists.
pub fn set_muted(
    conversations: &Conversations,
    actor: Uuid,
    conversation: Uuid,
    muted: bool,
) -> Result<Decision, Rejection> {
    let member = match conversations.member(conversation, actor) {
        Err(_) if !muted => return Ok(Decision::unchanged(Outcome::Done)),
        member => member?,
    };
    if member.muted == muted {
        return Ok(Decision::unchanged(Outcome::Done));
    }
    let user = actor;
    Ok(Decision::done(if muted {
        Event::ConversationMuted(ConversationMuted { conversation, user })
    } else {
        Event::ConversationUnmuted(ConversationUnmuted { conversation, user })
    }))
}

/// Any member can rename a group.
pub fn rename(
    conversations: &Conversations,
    actor: Uuid,
    conversation: Uuid,
    title: Option<&Title>,
) -> Result<Decision, Rejection> {
    conversations.member(conversation, actor)?;
    let found = conversations.row(conversation)?;
    if found.pair.is_some() {
        return Err(Rejection::ConversationOfTwo);
    }
    let title = title.map(|title| title.as_str().to_owned());
    if found.title == title {
        return Ok(Decision::unchanged(Outcome::Done));
    }
    Ok(Decision::done(Event::ConversationRenamed(
        ConversationRenamed {
            conversation,
            user: actor,
            title,
        },
    )))
}
