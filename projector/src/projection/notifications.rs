//! Notifications of a viewer: who followed them, asked them for a connection or accepted one, liked one of their posts or
//! replied to one.

mod fold;
mod id;
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
    projection::{
        definition::{Context, Definition, Rebuild},
        relevance::concerns_another_account,
    },
};

pub static DEFINITION: Definition = Definition {
    projection: Projection::Notifications,
    migrations: migrations::NOTIFICATIONS,
    event_types: &[
        EventType::AccountFollowed,
        EventType::AccountUnfollowed,
        EventType::ConnectionRequested,
        EventType::ConnectionRequestEnded,
        EventType::ConnectionMade,
        EventType::ConnectionEnded,
        EventType::PostCreated,
        EventType::PostDeleted,
        EventType::PostLiked,
        EventType::PostUnliked,
        EventType::NotificationsRead,
    ],
    is_relevant: concerns_another_account,
    min_interval: Duration::from_millis(50),
    apply: |batch, context, db| apply(batch, context, db).boxed(),
    rebuild: Rebuild {
        indexes: &["notifications_of_post"],
        derived: None,
    },
};

/// Undone acts are deleted before everything about a deleted post, so that their rows still exist to be counted.
async fn apply(batch: &Batch, _: &Context, db: &mut PgConnection) -> Result<Vec<Tag>, ApplyError> {
    let changes = Changes::of(batch);
    let undone = sql::delete_acts(&changes, db).await?;
    let replies = sql::delete_replies(&changes, db).await?;
    let lost = sql::delete_of_posts(&changes, db).await?;
    sql::insert(&changes, db).await?;
    let totals = changes.totals([&undone, &replies, &lost].into_iter().flatten());
    sql::add_totals(&totals, db).await?;
    sql::delete_empty_totals(&totals, db).await?;
    sql::move_marks(&changes, db).await?;
    Ok(tags::of(&changes, lost))
}
