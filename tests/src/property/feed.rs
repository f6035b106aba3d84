//! The command about the feed.

use anyhow::Result;
use feedmill_events::id;
use rand::Rng;
use uuid::Uuid;

use super::{
    random::{Kind, Pick, Theme, pick},
    state::{State, expect_status},
};
use crate::token;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedCommand {
    /// Up to any post, which may be deleted or not in the feed.
    MarkRead { post: Pick },
    /// Up to an id that no post has.
    MarkReadToNow,
    /// Up to the future, which is refused.
    MarkReadToFuture,
}

pub fn kinds() -> Vec<Kind<FeedCommand>> {
    let draw = |rng: &mut rand::rngs::StdRng| match rng.gen_range(0..10) {
        0 => FeedCommand::MarkReadToFuture,
        1 => FeedCommand::MarkReadToNow,
        _ => FeedCommand::MarkRead { post: pick(rng) },
    };
    vec![Kind::new("mark feed read", 6.0, Theme::Feed, draw)]
}

pub async fn perform(state: &mut State<'_>, who: Uuid, command: FeedCommand) -> Result<()> {
    let client = state.client_of(who);
    let now = token::now().timestamp_millis();
    let up_to = match command {
        FeedCommand::MarkRead { post } => state.post(post),
        FeedCommand::MarkReadToNow => Some(id::first_of(now)),
        FeedCommand::MarkReadToFuture => {
            let later = id::first_of(now + 60_000);
            return expect_status(&client.mark_feed_read(later).await, 422);
        }
    };
    let Some(up_to) = up_to else { return Ok(()) };
    expect_status(&client.mark_feed_read(up_to).await, 204)?;
    state.oracle.mark_feed_read(who, up_to);
    Ok(())
}
