//! Commands that block accounts and unblock them.

use anyhow::Result;
use uuid::Uuid;

use super::{
    random::{Kind, Pick, Theme, pick, usually},
    state::{State, choose, expect_status},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockCommand {
    Block {
        other: Pick,
    },
    /// One of those whom the account blocks, or any.
    Unblock {
        other: Pick,
        blocked: bool,
    },
}

/// Blocks are undone more often than they are made, so that most pairs have none.
pub fn kinds() -> Vec<Kind<BlockCommand>> {
    vec![
        Kind::new("block", 2.0, Theme::Feed, |rng| BlockCommand::Block {
            other: pick(rng),
        }),
        Kind::new("unblock", 2.5, Theme::Feed, |rng| BlockCommand::Unblock {
            other: pick(rng),
            blocked: usually(rng),
        }),
    ]
}

pub async fn perform(state: &mut State<'_>, who: Uuid, command: BlockCommand) -> Result<()> {
    let client = state.client_of(who);
    match command {
        BlockCommand::Block { other } => {
            let Some(other) = state.account(other) else {
                return Ok(());
            };
            let answer = client.block(other, true).await;
            if other == who {
                return expect_status(&answer, 422);
            }
            expect_status(&answer, 204)?;
            // The time comes from the state tables before each comparison.
            state.oracle.block(who, other, 0);
        }
        BlockCommand::Unblock { other, blocked } => {
            let known = if blocked {
                let of_account = state.oracle.blocks.of(who);
                of_account.map(|(other, _)| other).collect()
            } else {
                state.accounts.clone()
            };
            let Some(other) = choose(&known, other) else {
                return Ok(());
            };
            expect_status(&client.block(other, false).await, 204)?;
            state.oracle.blocks.unblock(who, other);
        }
    }
    Ok(())
}
