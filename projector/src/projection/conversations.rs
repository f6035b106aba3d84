//! Conversations, their members and messages.

mod fold;
mod members;
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
        EventType::MessageDeleted,
        EventType::ConversationRead,
        EventType::ConversationMuted,
        EventType::ConversationUnmuted,
        EventType::ConversationRenamed,
        EventType::MemberAdded,
        EventType::MemberLeft,
    ],
    is_relevant: |_| true,
    min_interval: Duration::from_millis(10),
    apply: |batch, context, db| apply(batch, context, db).boxed(),
    rebuild: Rebuild {
        indexes: &["members_of_conversation"],
        derived: None,
    },
};

/// New members start with the counts from before the batch. Then, by the read marks from before the batch, new messages are counted as
/// unread and deleted ones no longer. Then the unread messages of members whose mark moved are counted anew.
async fn apply(batch: &Batch, _: &Context, db: &mut PgConnection) -> Result<Vec<Tag>, ApplyError> {
    let changes = Changes::of(batch)?;
    sql::insert_conversations(&changes, db).await?;
    sql::rename(&changes, db).await?;
    members::insert(&changes, db).await?;
    members::end(&changes, db).await?;
    members::add(&changes, db).await?;
    members::count_conversations(&changes, db).await?;
    sql::insert_messages(&changes, db).await?;
    sql::add_messages(&changes, db).await?;
    let deleted = sql::delete_messages(&changes, db).await?;
    sql::subtract_messages(&changes, db).await?;
    let mut members = members::count_unread(&changes, db).await?;
    members.extend(members::uncount_unread(&deleted, db).await?);
    members::move_marks(&changes, db).await?;
    members::set_muted(&changes, db).await?;
    members.extend(members::of_changed(&changes, db).await?);
    Ok(tags::of(&changes, members))
}
