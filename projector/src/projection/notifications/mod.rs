//! notifications(viewer): who followed them, liked a post of theirs or replied to one.

mod fold;
mod id;
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
    projection: Projection::Notifications,
    migrations: &[Migration {
        name: "0001_notifications",
        sql: include_str!("../../../../migrations/read/notifications/0001_notifications.sql"),
    }],
    event_types: &[
        EventType::AccountFollowed,
        EventType::AccountUnfollowed,
        EventType::PostCreated,
        EventType::PostDeleted,
        EventType::PostLiked,
        EventType::PostUnliked,
        EventType::NotificationsRead,
    ],
    concerns: is_for_another,
    pace: Duration::from_millis(50),
    apply: |batch, context, connection| apply(batch, context, connection).boxed(),
    rebuild: Rebuild {
        indexes: &["notifications_of_post"],
        derived: None,
    },
};

/// What is taken back goes before what is about a deleted post, so that it is still there to be counted.
async fn apply(batch: &Batch, _: &Context, db: &mut PgConnection) -> Result<Vec<Tag>, ApplyError> {
    let changes = Changes::of(batch);
    sql::delete_acts(&changes, db).await?;
    sql::delete_replies(&changes, db).await?;
    let lost = sql::delete_of_posts(&changes, db).await?;
    sql::insert(&changes, db).await?;
    sql::move_marks(&changes, db).await?;
    Ok(tags::of(&changes, lost))
}
