//! Which acts are refused because of audiences and blocks.

use anyhow::{Result, ensure};
use uuid::Uuid;

use crate::{client::Answer, oracle::Oracle};

/// The status with which an act on this account is refused: the blocker is told, and for the blocked there is no such account.
pub fn refusal_of_account(oracle: &Oracle, who: Uuid, other: Uuid) -> Option<u16> {
    if oracle.blocks.blocks(who, other) {
        Some(409)
    } else if oracle.blocks.blocks(other, who) {
        Some(404)
    } else {
        None
    }
}

/// The same for a post.
pub fn refusal_of_post(oracle: &Oracle, who: Uuid, post: Uuid) -> Option<u16> {
    if oracle.visible(who, post) {
        None
    } else if oracle.hides_only_by_own_block(who, post) {
        Some(409)
    } else {
        Some(404)
    }
}

/// Fails unless the answer has one of the statuses with which the command may be refused: where there is more than one reason,
/// it does not matter which of them is told.
pub fn expect_refusal(answer: &Answer, statuses: &[u16]) -> Result<()> {
    let is_known = statuses.contains(&answer.status.as_u16());
    ensure!(is_known, "{answer:?} instead of one of {statuses:?}");
    Ok(())
}
