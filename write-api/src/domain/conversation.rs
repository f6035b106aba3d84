//! Conversations, messages and read marks.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use feedmill_events::{
    Event,
    event::{
        v1::{ConversationRead, MessageSent},
        v2::ConversationCreated,
    },
};
use uuid::Uuid;

use super::{Decision, Outcome, Rejection, State, Thing, account, state};

/// Each member sees each message in their counts: the bound is what one message may cost.
pub(super) const MAX_MEMBERS: usize = 100;

pub(super) fn start(
    state: &State,
    actor: Uuid,
    id: Uuid,
    members: &BTreeSet<Uuid>,
    title: Option<&str>,
    creator: Option<Uuid>,
) -> Result<Decision, Rejection> {
    let mut everyone = members.clone();
    everyone.insert(actor);
    if everyone.len() < 2 {
        return Err(Rejection::NoOtherMember);
    }
    if everyone.len() > MAX_MEMBERS {
        return Err(Rejection::TooManyMembers(MAX_MEMBERS));
    }
    let cards = everyone
        .iter()
        .map(|member| {
            state
                .accounts
                .get(member)
                .map(|found| account::card(*member, found))
        })
        .collect::<Option<Vec<_>>>()
        .ok_or(Rejection::NotFound {
            thing: Thing::Account,
            field: Some("members"),
        })?;
    let existing = state::pair(everyone.iter().copied()).and_then(|pair| state.pairs.get(&pair));
    if let Some(&existing) = existing {
        let title = state
            .conversations
            .get(&existing)
            .and_then(|found| found.title.clone());
        let outcome = Outcome::Conversation {
            id: existing,
            title,
            members: cards,
            created: false,
        };
        return Ok(Decision {
            events: Vec::new(),
            outcome,
        });
    }
    let title = title.map(str::to_owned);
    let event = ConversationCreated {
        conversation: id,
        members: everyone.into_iter().collect(),
        title: title.clone(),
        creator,
    };
    Ok(Decision {
        events: vec![Event::ConversationCreated(event)],
        outcome: Outcome::Conversation {
            id,
            title,
            members: cards,
            created: true,
        },
    })
}

/// The actor's read mark. Whether a conversation is not there or only not theirs, they cannot tell.
fn membership(state: &State, actor: Uuid, conversation: Uuid) -> Result<Option<Uuid>, Rejection> {
    state
        .members
        .get(&(conversation, actor))
        .copied()
        .ok_or(Rejection::NotFound {
            thing: Thing::Conversation,
            field: None,
        })
}

pub(super) fn send(
    state: &State,
    sender: Uuid,
    conversation: Uuid,
    id: Uuid,
    at: DateTime<Utc>,
    text: &str,
) -> Result<Decision, Rejection> {
    membership(state, sender, conversation)?;
    let event = MessageSent {
        conversation,
        message: id,
        sender,
        text: text.to_owned(),
    };
    Ok(Decision {
        events: vec![Event::MessageSent(event)],
        outcome: Outcome::Message {
            id,
            sender_id: sender,
            text: text.to_owned(),
            created_at: at,
        },
    })
}

pub(super) fn mark_read(
    state: &State,
    user: Uuid,
    conversation: Uuid,
    up_to: Uuid,
) -> Result<Decision, Rejection> {
    let mark = membership(state, user, conversation)?;
    if !state.messages.contains(&(conversation, up_to)) {
        return Err(Rejection::NotFound {
            thing: Thing::Message,
            field: Some("up_to"),
        });
    }
    if mark.is_some_and(|mark| mark >= up_to) {
        return Ok(Decision::nothing_to_do());
    }
    Ok(Decision::done(Event::ConversationRead(ConversationRead {
        conversation,
        user,
        up_to,
    })))
}
