//! The counters of digest(viewer, period). Its posts come from the feed's tables.

mod fold;
mod sql;
mod tags;

use std::time::Duration;

use feedmill_events::{EventType, Projection, Tag};
use futures::FutureExt as _;
use sqlx::PgConnection;

use self::fold::Changes;
use super::{Context, Definition, Migration, Rebuild, is_for_another};
use crate::{batch::Batch, error::ApplyError};

pub static DEFINITION: Definition = Definition {
    projection: Projection::Digest,
    migrations: &[Migration {
        name: "0001_digest",
        sql: include_str!("../../../../migrations/read/digest/0001_digest.sql"),
    }],
    event_types: &[
        EventType::AccountFollowed,
        EventType::AccountUnfollowed,
        EventType::PostCreated,
        EventType::PostDeleted,
        EventType::PostLiked,
        EventType::PostUnliked,
        EventType::ConversationCreated,
        EventType::MessageSent,
    ],
    concerns: is_for_another,
    pace: Duration::from_millis(50),
    apply: |batch, context, connection| apply(batch, context, connection).boxed(),
    rebuild: Rebuild::PLAIN,
};

/// What the tables alone know (what a deleted post had received, whether the post that a deleted reply
/// answered still stands, who is in a conversation) is read into the changes first; then all of it reaches
/// the days in one statement.
async fn apply(batch: &Batch, _: &Context, db: &mut PgConnection) -> Result<Vec<Tag>, ApplyError> {
    let mut changes = Changes::of(batch)?;
    sql::delete_received_of_posts(&mut changes, db).await?;
    sql::add_received(&mut changes, db).await?;
    sql::take_received(&mut changes, db).await?;
    sql::insert_members(&changes, db).await?;
    sql::count_messages(&mut changes, db).await?;
    sql::add_days(&changes, db).await?;
    sql::delete_empty_days(&changes, db).await?;
    Ok(tags::of(&changes))
}
