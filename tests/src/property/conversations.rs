//! Commands about conversations.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use feedmill_events::event::v1::WhoMayMessage;
use rand::Rng;
use serde_json::json;
use uuid::Uuid;

use super::{
    access::{expect_refusal, refusal_of_account},
    random::{Kind, Pick, Theme, pick, text, usually},
    state::{State, choose, created_id, expect_status},
};
use crate::{log, oracle::Oracle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversationCommand {
    CreatePair {
        with: Pick,
    },
    CreateGroup {
        with: [Pick; 2],
        titled: bool,
    },
    /// Into one of the account's own conversations, or any.
    Send {
        conversation: Pick,
        own: bool,
        text: Pick,
    },
    /// Up to a message of the conversation, or of any other (foreign).
    MarkRead {
        conversation: Pick,
        own: bool,
        message: Pick,
        foreign: bool,
    },
    /// One of the account's own messages, or any, of any conversation.
    Delete {
        message: Pick,
        own: bool,
    },
    SetMuted {
        conversation: Pick,
        own: bool,
        muted: bool,
    },
    Add {
        conversation: Pick,
        own: bool,
        account: Pick,
    },
    /// The account itself, or any other.
    Remove {
        conversation: Pick,
        own: bool,
        other: Option<Pick>,
    },
    /// With a title, or without any.
    Rename {
        conversation: Pick,
        own: bool,
        text: Option<Pick>,
    },
}

pub fn kinds() -> Vec<Kind<ConversationCommand>> {
    let theme = Theme::Conversations;
    vec![
        Kind::new("create pair", 4.0, theme, |rng| {
            ConversationCommand::CreatePair { with: pick(rng) }
        }),
        Kind::new("create group", 4.0, theme, |rng| {
            ConversationCommand::CreateGroup {
                with: [pick(rng), pick(rng)],
                titled: rng.gen_bool(0.5),
            }
        }),
        Kind::new("send message", 13.0, theme, |rng| {
            ConversationCommand::Send {
                conversation: pick(rng),
                own: usually(rng),
                text: pick(rng),
            }
        }),
        Kind::new("mark conversation read", 7.0, theme, |rng| {
            ConversationCommand::MarkRead {
                conversation: pick(rng),
                own: usually(rng),
                message: pick(rng),
                foreign: rng.gen_bool(0.1),
            }
        }),
        Kind::new("delete message", 5.0, theme, |rng| {
            ConversationCommand::Delete {
                message: pick(rng),
                own: usually(rng),
            }
        }),
        Kind::new("mute conversation", 4.0, theme, |rng| {
            ConversationCommand::SetMuted {
                conversation: pick(rng),
                own: usually(rng),
                muted: rng.gen_bool(0.6),
            }
        }),
        Kind::new("add member", 5.0, theme, |rng| ConversationCommand::Add {
            conversation: pick(rng),
            own: usually(rng),
            account: pick(rng),
        }),
        Kind::new("remove member", 3.0, theme, |rng| {
            ConversationCommand::Remove {
                conversation: pick(rng),
                own: usually(rng),
                other: rng.gen_bool(0.2).then(|| pick(rng)),
            }
        }),
        Kind::new("rename conversation", 3.0, theme, |rng| {
            ConversationCommand::Rename {
                conversation: pick(rng),
                own: usually(rng),
                text: rng.gen_bool(0.8).then(|| pick(rng)),
            }
        }),
    ]
}

pub async fn perform(state: &mut State<'_>, who: Uuid, command: ConversationCommand) -> Result<()> {
    match command {
        ConversationCommand::CreatePair { with } => {
            let with: Vec<_> = state.account(with).into_iter().collect();
            create(state, who, &with, None).await
        }
        ConversationCommand::CreateGroup { with, titled } => {
            let with: Vec<_> = with
                .iter()
                .filter_map(|pick| state.account(*pick))
                .collect();
            create(state, who, &with, titled.then_some("The mill")).await
        }
        ConversationCommand::Send {
            conversation,
            own,
            text: pick,
        } => {
            let Some(conversation) = choose(&conversations(state, who, own), conversation) else {
                return Ok(());
            };
            let (sent, stored) = text(pick);
            let answer = state.client_of(who).send_message(conversation, &sent).await;
            if !state.oracle.is_member(who, conversation) {
                return expect_status(&answer, 404);
            }
            let found = &state.oracle.conversations[&conversation];
            if state.oracle.is_closed(found) {
                return expect_status(&answer, 409);
            }
            let id = created_id(&answer, 201)?;
            state.oracle.send_message(conversation, id, who, &stored);
            state.messages.push(id);
            Ok(())
        }
        ConversationCommand::MarkRead {
            conversation,
            own,
            message,
            foreign,
        } => {
            let Some(conversation) = choose(&conversations(state, who, own), conversation) else {
                return Ok(());
            };
            let messages = state.oracle.conversations[&conversation].visible(who);
            let inside: Vec<_> = messages.map(|(id, _)| id).collect();
            let from = if foreign { &state.messages } else { &inside };
            let Some(message) = choose(from, message) else {
                return Ok(());
            };
            let legal = state.oracle.is_member(who, conversation) && inside.contains(&message);
            let answer = state.client_of(who).mark_read(conversation, message).await;
            expect_status(&answer, if legal { 204 } else { 404 })?;
            if legal {
                state.oracle.mark_read(conversation, who, message);
            }
            Ok(())
        }
        ConversationCommand::Delete { message, own } => delete(state, who, message, own).await,
        ConversationCommand::SetMuted {
            conversation,
            own,
            muted,
        } => {
            let Some(conversation) = choose(&conversations(state, who, own), conversation) else {
                return Ok(());
            };
            let is_member = state.oracle.is_member(who, conversation);
            let answer = state.client_of(who).set_muted(conversation, muted).await;
            expect_status(&answer, if is_member || !muted { 204 } else { 404 })?;
            if is_member {
                state.oracle.set_muted(conversation, who, muted);
            }
            Ok(())
        }
        ConversationCommand::Add {
            conversation,
            own,
            account,
        } => {
            let chosen = choose(&conversations(state, who, own), conversation);
            let (Some(conversation), Some(account)) = (chosen, state.account(account)) else {
                return Ok(());
            };
            add(state, who, conversation, account).await
        }
        ConversationCommand::Remove {
            conversation,
            own,
            other,
        } => {
            let chosen = choose(&conversations(state, who, own), conversation);
            let other = other.map_or(Some(who), |other| state.account(other));
            let (Some(conversation), Some(account)) = (chosen, other) else {
                return Ok(());
            };
            remove(state, who, conversation, account).await
        }
        ConversationCommand::Rename {
            conversation,
            own,
            text,
        } => {
            let Some(conversation) = choose(&conversations(state, who, own), conversation) else {
                return Ok(());
            };
            let title = text.map(|text| format!("Title {text}"));
            let changes = json!({"title": title});
            let client = state.client_of(who);
            let answer = client.change_conversation(conversation, changes).await;
            if !state.oracle.is_member(who, conversation) {
                return expect_status(&answer, 404);
            }
            if state.oracle.conversations[&conversation].is_pair {
                return expect_status(&answer, 409);
            }
            expect_status(&answer, 204)?;
            state.oracle.rename(conversation, title.as_deref());
            Ok(())
        }
    }
}

/// The account's own conversations, or all of this run.
fn conversations(state: &State<'_>, who: Uuid, own: bool) -> Vec<Uuid> {
    let all = state.conversations.iter().copied();
    all.filter(|id| !own || state.oracle.is_member(who, *id))
        .collect()
}

async fn create(
    state: &mut State<'_>,
    who: Uuid,
    with: &[Uuid],
    title: Option<&str>,
) -> Result<()> {
    let members: BTreeSet<_> = with.iter().copied().chain([who]).collect();
    let answer = state.client_of(who).create_conversation(with, title).await;
    if members.len() < 2 {
        return expect_status(&answer, 422);
    }
    let oracle = &state.oracle;
    let refusals = members.iter();
    let refusals = refusals.filter_map(|member| refusal_of_account(oracle, who, *member));
    let refusals: Vec<_> = refusals.collect();
    if !refusals.is_empty() {
        return expect_refusal(&answer, &refusals);
    }
    if let Some(known) = oracle.pair(&members) {
        let found = created_id(&answer, 200)?;
        ensure!(found == known, "{found} instead of {known}");
        return Ok(());
    }
    if !members.iter().all(|member| accepts(oracle, *member, who)) {
        return expect_status(&answer, 403);
    }
    let id = created_id(&answer, 201)?;
    let members: Vec<_> = members.into_iter().collect();
    state.oracle.create_conversation(id, &members, title);
    state.conversations.push(id);
    Ok(())
}

/// Whether this account lets the other one begin a conversation with it, or add it to a group.
fn accepts(oracle: &Oracle, account: Uuid, other: Uuid) -> bool {
    let only_connections = oracle.settings(account).who_may_message == WhoMayMessage::Connections;
    account == other || !only_connections || oracle.connections.are_connected(account, other)
}

async fn add(state: &mut State<'_>, who: Uuid, conversation: Uuid, account: Uuid) -> Result<()> {
    let client = state.client_of(who);
    let answer = client.set_member(conversation, account, true).await;
    if !state.oracle.is_member(who, conversation) {
        return expect_status(&answer, 404);
    }
    let mut refusals = Vec::from_iter(refusal_of_account(&state.oracle, who, account));
    if state.oracle.is_member(account, conversation) {
        // Nothing changes, whether it is told or not.
        refusals.push(204);
        return expect_refusal(&answer, &refusals);
    }
    let found = &state.oracle.conversations[&conversation];
    let connected = state.oracle.connections.are_connected(who, account);
    if found.is_pair || found.has_left(account) && !connected {
        refusals.push(409);
    }
    if !accepts(&state.oracle, account, who) {
        refusals.push(403);
    }
    if !refusals.is_empty() {
        return expect_refusal(&answer, &refusals);
    }
    expect_status(&answer, 204)?;
    let (since, _) = log::membership(&state.target.pool, conversation, account).await?;
    let since = since.context("a member who was added sees messages from then on")?;
    state.oracle.add_member(conversation, account, since);
    Ok(())
}

async fn remove(state: &mut State<'_>, who: Uuid, conversation: Uuid, account: Uuid) -> Result<()> {
    let client = state.client_of(who);
    let answer = client.set_member(conversation, account, false).await;
    let is_member = |account| state.oracle.is_member(account, conversation);
    if who != account {
        let expected = match (is_member(who), is_member(account)) {
            (false, _) => 404,
            (true, true) => 403,
            (true, false) => 204,
        };
        return expect_status(&answer, expected);
    }
    if !is_member(who) {
        return expect_status(&answer, 204);
    }
    if state.oracle.conversations[&conversation].is_pair {
        return expect_status(&answer, 409);
    }
    expect_status(&answer, 204)?;
    let (_, left_at) = log::membership(&state.target.pool, conversation, who).await?;
    let left_at = left_at.context("the end of a membership")?;
    state.oracle.leave(conversation, who, left_at);
    Ok(())
}

async fn delete(state: &mut State<'_>, who: Uuid, message: Pick, own: bool) -> Result<()> {
    let of_run = state.conversations.iter();
    let messages = of_run.flat_map(|id| {
        let found = &state.oracle.conversations[id];
        let standing = found.messages.iter();
        let standing = standing.map(|(message, said)| (*message, Some(said.sender)));
        let deleted = found.deleted.iter().map(|message| (*message, None));
        let all = standing.chain(deleted);
        all.map(move |(message, sender)| (*id, message, sender))
    });
    let matching = messages.filter(|(_, _, sender)| !own || *sender == Some(who));
    let matching: Vec<_> = matching.collect();
    let Some((conversation, message, sender)) = choose(&matching, message) else {
        return Ok(());
    };
    let client = state.client_of(who);
    let answer = client.delete_message(conversation, message).await;
    let visible = state.oracle.one_message(who, conversation, message);
    if visible.is_some() && sender != Some(who) {
        return expect_status(&answer, 403);
    }
    expect_status(&answer, 204)?;
    if sender == Some(who) {
        state.oracle.delete_message(conversation, message);
    }
    Ok(())
}
