//! Commands about connections.

use anyhow::{Result, ensure};
use serde_json::json;
use uuid::Uuid;

use super::{
    access::refusal_of_account,
    random::{Kind, Pick, Theme, pick},
    state::{State, expect_status},
};
use crate::oracle::RequestOutcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionCommand {
    pub other: Pick,
    /// Whether it asks or accepts; or else ends, withdraws or declines.
    pub connect: bool,
}

pub fn kinds() -> Vec<Kind<ConnectionCommand>> {
    let kinds = [("connect", true, 7.0), ("disconnect", false, 2.5)];
    let kinds = kinds.map(|(name, connect, percent)| {
        Kind::new(name, percent, Theme::Feed, move |rng| ConnectionCommand {
            other: pick(rng),
            connect,
        })
    });
    kinds.into()
}

pub async fn perform(state: &mut State<'_>, who: Uuid, command: ConnectionCommand) -> Result<()> {
    let Some(other) = state.account(command.other) else {
        return Ok(());
    };
    let answer = state
        .client_of(who)
        .connection(other, command.connect)
        .await;
    if !command.connect {
        state.oracle.connections.end(who, other);
        state.oracle.tags.disconnect(who, other);
        return expect_status(&answer, 204);
    }
    if who == other {
        return expect_status(&answer, 422);
    }
    if let Some(status) = refusal_of_account(&state.oracle, who, other) {
        return expect_status(&answer, status);
    }
    // The times come from the state tables before each comparison.
    let expected = match state.oracle.connections.request(who, other, 0) {
        RequestOutcome::Declined => return expect_status(&answer, 409),
        RequestOutcome::Outgoing => json!({"state": "outgoing"}),
        RequestOutcome::Connected => json!({"state": "connected"}),
    };
    expect_status(&answer, 200)?;
    ensure!(
        answer.json() == expected,
        "{answer:?} instead of {expected}"
    );
    Ok(())
}
