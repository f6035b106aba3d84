//! The decisions on adding members to groups, and on leaving groups.

use feedmill_events::{
    Event,
    event::v1::{MemberAdded, MemberLeft},
};
use uuid::Uuid;

use super::{Conversations, MAX_MEMBERS, contacts::Contacts};
use crate::domain::decision::{Decision, Outcome, Rejection};

/// The addition of an account to a group.
pub struct Addition {
    pub conversation: Uuid,
    pub account: Uuid,
    /// The member who adds it.
    pub actor: Uuid,
    /// An id with the time of the decision.
    pub now: Uuid,
}

/// Any member of a group can add accounts. An account that has left can only be added again by a member who is connected with it.
pub fn add(
    contacts: Contacts<'_>,
    conversations: &Conversations,
    addition: &Addition,
) -> Result<Decision, Rejection> {
    let Addition {
        conversation,
        account,
        actor,
        now,
    } = *addition;
    conversations.member(conversation, actor)?;
    if conversations.has_member(conversation, account) {
        return Ok(Decision::unchanged(Outcome::Done));
    }
    let found = conversations.row(conversation)?;
    contacts.require(actor, account, None)?;
    if found.pair.is_some() {
        return Err(Rejection::ConversationOfTwo);
    }
    contacts.require_acceptance(actor, account, None)?;
    let left_at = conversations.left_at(conversation, account);
    if left_at.is_some() && !contacts.connections.are_connected(actor, account) {
        return Err(Rejection::LeftConversation);
    }
    let extent = conversations.extent(conversation);
    if extent.members >= MAX_MEMBERS {
        return Err(Rejection::ConversationFull(MAX_MEMBERS));
    }
    // The clocks of other processes may be ahead. The new member must not see messages that were written before.
    let since = Some(now).max(extent.last_message).max(left_at);
    Ok(Decision::done(Event::MemberAdded(MemberAdded {
        conversation,
        user: account,
        added_by: actor,
        since: since.unwrap_or(now),
    })))
}

/// A member can leave a group, and cannot remove other members. Leaving a conversation succeeds for an actor who is not a member,
/// so that the answer does not tell whether the conversation exists.
pub fn remove(
    conversations: &Conversations,
    actor: Uuid,
    now: Uuid,
    conversation: Uuid,
    account: Uuid,
) -> Result<Decision, Rejection> {
    let member = match conversations.member(conversation, actor) {
        Err(_) if account == actor => return Ok(Decision::unchanged(Outcome::Done)),
        member => member?,
    };
    if account != actor {
        return if conversations.has_member(conversation, account) {
            Err(Rejection::NotOneself)
        } else {
            Ok(Decision::unchanged(Outcome::Done))
        };
    }
    if conversations.row(conversation)?.pair.is_some() {
        return Err(Rejection::ConversationOfTwo);
    }
    // The clocks of other processes may be ahead. The member received all messages that were written before.
    let last_message = conversations.extent(conversation).last_message;
    let until = Some(now).max(last_message).max(member.since);
    Ok(Decision::done(Event::MemberLeft(MemberLeft {
        conversation,
        user: actor,
        until: until.unwrap_or(now),
    })))
}
