//! The decisions on adding members to groups, and on leaving groups.

use feedmill_events::{
    Event,
    event::v1::{MemberAdded, MemberLeft},
};
use uuid::Uuid;

use super::{Conversations, MAX_MEMBERS};
use crate::domain::{
    account::Accounts,
    decision::{Decision, Outcome, Rejection, Resource},
};

/// Any member of a group can add accounts. `now` is an id with the time of the decision. `may_return` says whether the actor is
/// connected with the account: an account that has left can only be added again by a connected member.
pub fn add(
    accounts: &Accounts,
    conversations: &Conversations,
    actor: Uuid,
    now: Uuid,
    conversation: Uuid,
    account: Uuid,
    may_return: bool,
) -> Result<Decision, Rejection> {
    conversations.member(conversation, actor)?;
    if conversations.has_member(conversation, account) {
        return Ok(Decision::unchanged(Outcome::Done));
    }
    let found = conversations.row(conversation)?;
    if accounts.get(account).is_none() {
        return Err(Rejection::not_found(Resource::Account));
    }
    if found.pair.is_some() {
        return Err(Rejection::ConversationOfTwo);
    }
    let left_at = conversations.left_at(conversation, account);
    if left_at.is_some() && !may_return {
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
