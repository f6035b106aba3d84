//! Commands about accounts.

use anyhow::{Context as _, Result, ensure};
use feedmill_events::{
    event::v1::{Audience, WhoMayMessage},
    id,
};
use rand::Rng;
use serde_json::json;
use uuid::Uuid;

use super::{
    random::{Kind, Pick, Theme, pick, text, usually},
    state::{State, created_id, expect_status},
};
use crate::oracle::{Account, audience_code, who_may_message_code};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountCommand {
    Create,
    /// To a handle that nobody has, or to that of this account.
    Rename {
        taken: Option<Pick>,
    },
    ChangeDisplayName {
        name: Pick,
    },
    ChangeBio {
        text: Pick,
    },
    /// One of the two settings, or both, to one of their values.
    ChangeSettings {
        default_audience: Option<Pick>,
        who_may_message: Option<Pick>,
    },
}

pub fn kinds() -> Vec<Kind<AccountCommand>> {
    vec![
        Kind::new("create account", 2.0, Theme::Accounts, |_| {
            AccountCommand::Create
        }),
        Kind::new("rename", 4.0, Theme::Accounts, |rng| {
            AccountCommand::Rename {
                taken: (!usually(rng)).then(|| rng.gen_range(0..1_000)),
            }
        }),
        Kind::new("change display name", 5.0, Theme::Accounts, |rng| {
            AccountCommand::ChangeDisplayName { name: pick(rng) }
        }),
        Kind::new("change bio", 5.0, Theme::Accounts, |rng| {
            AccountCommand::ChangeBio { text: pick(rng) }
        }),
        Kind::new("change settings", 3.0, Theme::Accounts, |rng| {
            let which = rng.gen_range(0..3);
            AccountCommand::ChangeSettings {
                default_audience: (which != 0).then(|| pick(rng)),
                who_may_message: (which != 1).then(|| pick(rng)),
            }
        }),
    ]
}

pub async fn create(state: &mut State<'_>) -> Result<()> {
    let handle = format!("{}_{}", state.prefix, state.accounts.len());
    let answer = state.client.create_account(&handle, "New here").await;
    let id = created_id(&answer, 201)?;
    state
        .oracle
        .create_account(id, &handle, "New here", id::millis(id));
    state.accounts.push(id);
    Ok(())
}

pub async fn perform(state: &mut State<'_>, who: Uuid, command: AccountCommand) -> Result<()> {
    match command {
        AccountCommand::Create => create(state).await,
        AccountCommand::Rename { taken } => {
            let owner = taken.and_then(|pick| state.account(pick));
            let handle = match owner {
                Some(owner) => state.oracle.accounts[&owner].handle.clone(),
                None => format!("{}_n{}", state.prefix, state.step),
            };
            let is_taken = owner.is_some_and(|owner| owner != who);
            // Case does not matter.
            let sent = json!({"handle": handle.to_uppercase()});
            let answer = state.client_of(who).change_profile(sent).await;
            expect_status(&answer, if is_taken { 409 } else { 200 })?;
            if !is_taken {
                account(state, who).handle = handle;
            }
            Ok(())
        }
        AccountCommand::ChangeDisplayName { name } => {
            let name = format!("Named {name}");
            let sent = json!({"display_name": name});
            expect_status(&state.client_of(who).change_profile(sent).await, 200)?;
            account(state, who).display_name = name;
            Ok(())
        }
        AccountCommand::ChangeBio { text: pick } => {
            let (sent, stored) = text(pick);
            let sent = json!({"bio": sent});
            expect_status(&state.client_of(who).change_profile(sent).await, 200)?;
            account(state, who).bio = stored;
            Ok(())
        }
        AccountCommand::ChangeSettings {
            default_audience,
            who_may_message,
        } => change_settings(state, who, default_audience, who_may_message).await,
    }
}

async fn change_settings(
    state: &mut State<'_>,
    who: Uuid,
    default_audience: Option<Pick>,
    who_may_message: Option<Pick>,
) -> Result<()> {
    let mut settings = state.oracle.settings(who);
    let mut sent = json!({});
    if let Some(pick) = default_audience {
        let audiences = [Audience::Public, Audience::Connections, Audience::Me];
        settings.default_audience = audiences[pick % audiences.len()].clone();
        sent["default_audience"] = json!(audience_code(&settings.default_audience).0);
    }
    if let Some(pick) = who_may_message {
        let values = [WhoMayMessage::Everyone, WhoMayMessage::Connections];
        settings.who_may_message = values[pick % values.len()];
        sent["who_may_message"] = json!(who_may_message_code(settings.who_may_message).0);
    }
    let answer = state.client_of(who).change_profile(sent).await;
    expect_status(&answer, 200)?;
    state.oracle.change_settings(who, settings);
    let expected = state.oracle.me(who).context("the account")?;
    for field in ["default_audience", "who_may_message"] {
        ensure!(
            answer.json()[field] == expected[field],
            "{answer:?} instead of {expected}"
        );
    }
    Ok(())
}

fn account<'a>(state: &'a mut State<'_>, id: Uuid) -> &'a mut Account {
    let account = state.oracle.accounts.get_mut(&id);
    account.expect("an account of this run")
}
