//! The command about notifications.

use anyhow::Result;
use feedmill_events::id;
use rand::Rng;
use uuid::Uuid;

use super::{
    random::{Kind, Pick, Theme, pick},
    state::{State, choose, expect_status},
};
use crate::token;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationCommand {
    /// Up to one of the account's notifications.
    MarkRead { notification: Pick },
    /// Up to the id of any post: a mark is a point in time.
    MarkReadToPost { post: Pick },
    /// Up to the future, which is refused.
    MarkReadToFuture,
}

pub fn kinds() -> Vec<Kind<NotificationCommand>> {
    let draw = |rng: &mut rand::rngs::StdRng| match rng.gen_range(0..10) {
        0 => NotificationCommand::MarkReadToFuture,
        1..4 => NotificationCommand::MarkReadToPost { post: pick(rng) },
        _ => NotificationCommand::MarkRead {
            notification: pick(rng),
        },
    };
    vec![Kind::new("mark notifications read", 6.0, Theme::Feed, draw)]
}

pub async fn perform(state: &mut State<'_>, who: Uuid, command: NotificationCommand) -> Result<()> {
    let client = state.client_of(who);
    let up_to = match command {
        NotificationCommand::MarkRead { notification } => {
            let page = client.get("/v1/notifications?limit=100").await;
            expect_status(&page, 200)?;
            let items = page.json()["items"].as_array().cloned().unwrap_or_default();
            let ids = items
                .iter()
                .filter_map(|item| item["id"].as_str()?.parse().ok());
            choose(&ids.collect::<Vec<_>>(), notification)
        }
        NotificationCommand::MarkReadToPost { post } => state.post(post),
        NotificationCommand::MarkReadToFuture => {
            let later = id::first_of(token::now().timestamp_millis() + 60_000);
            return expect_status(&client.mark_notifications_read(later).await, 422);
        }
    };
    let Some(up_to) = up_to else { return Ok(()) };
    expect_status(&client.mark_notifications_read(up_to).await, 204)?;
    state.oracle.mark_notifications_read(who, up_to);
    Ok(())
}
