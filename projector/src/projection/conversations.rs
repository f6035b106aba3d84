//! Conversations, their members and messages.

mod fold;
mod sql;
mod tags;

use std::time::Duration;

use feedmill_events::{EventType, Projection, Tag};
use futures::FutureExt as _;
use sqlx::PgConnection;

use self::fold::Changes;
use crate::{
    batch::Batch,
    error::ApplyError,
    migrations,
    projection::definition::{Context, Definition, Rebuild},
};

pub static DEFINITION: Definition = Definition {
    projection: Projection::Conversations,
    migrations: migrations::CONVERSATIONS,
    event_types: &[
        EventType::ConversationCreated,
        EventType::MessageSent,
        EventType::ConversationRead,
        EventType::ConversationMuted,
        EventType::ConversationUnmuted,
        EventType::ConversationRenamed,
    ],
    is_relevant: |_| true,
    min_interval: Duration::from_millis(10),
    apply: |batch, context, db| apply(batch, context, db).boxed(),
    rebuild: Rebuild {
        indexes: &["members_of_conversation"],
        derived: None,
    },
};

/// New messages are counted as unread by the read marks from before the batch; then the unread messages of members whose
/// mark moved are counted anew.
async fn apply(batch: &Batch, _: &Context, db: &mut PgConnection) -> Result<Vec<Tag>, ApplyError> {
    let changes = Changes::of(batch)?;
    sql::insert_conversations(&changes, db).await?;
    sql::rename(&changes, db).await?;
    sql::insert_members(&changes, db).await?;
    sql::count_conversations(&changes, db).await?;
    sql::insert_messages(&changes, db).await?;
    sql::add_messages(&changes, db).await?;
    let mut members = sql::count_unread(&changes, db).await?;
    sql::move_marks(&changes, db).await?;
    sql::set_muted(&changes, db).await?;
    members.extend(sql::members_of_renamed(&changes, db).await?);
    Ok(tags::of(&changes, members))
}
