//! conversations(user) and messages(conversation).

mod fold;
mod sql;
mod tags;

use std::time::Duration;

use feedmill_events::{EventType, Projection, Tag};
use futures::FutureExt as _;
use sqlx::PgConnection;

use self::fold::Changes;
use super::{Context, Definition, Migration, Rebuild};
use crate::{batch::Batch, error::ApplyError};

pub static DEFINITION: Definition = Definition {
    projection: Projection::Conversations,
    migrations: &[Migration {
        name: "0001_conversations",
        sql: include_str!("../../../../migrations/read/conversations/0001_conversations.sql"),
    }],
    event_types: &[
        EventType::ConversationCreated,
        EventType::MessageSent,
        EventType::ConversationRead,
    ],
    concerns: |_| true,
    pace: Duration::from_millis(10),
    apply: |batch, context, connection| apply(batch, context, connection).boxed(),
    rebuild: Rebuild {
        indexes: &["members_of_conversation"],
        derived: None,
    },
};

/// New messages are counted by the read marks of before the batch; then whoever's mark has moved is counted
/// anew.
async fn apply(batch: &Batch, _: &Context, db: &mut PgConnection) -> Result<Vec<Tag>, ApplyError> {
    let changes = Changes::of(batch)?;
    sql::insert_conversations(&changes, db).await?;
    sql::insert_members(&changes, db).await?;
    sql::insert_messages(&changes, db).await?;
    sql::add_messages(&changes, db).await?;
    let members = sql::count_unread(&changes, db).await?;
    sql::move_marks(&changes, db).await?;
    Ok(tags::of(&changes, members))
}
