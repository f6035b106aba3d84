//! The counters of a viewer's digest. The digest's posts are read from the feed's tables.

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
    projection::{
        definition::{Context, Definition, Rebuild},
        relevance::concerns_another_account,
    },
};

pub static DEFINITION: Definition = Definition {
    projection: Projection::Digest,
    migrations: migrations::DIGEST,
    event_types: &[
        EventType::AccountFollowed,
        EventType::AccountUnfollowed,
        EventType::ConnectionMade,
        EventType::ConnectionEnded,
        EventType::PostCreated,
        EventType::PostDeleted,
        EventType::PostLiked,
        EventType::PostUnliked,
        EventType::ConversationCreated,
        EventType::MemberAdded,
        EventType::MemberLeft,
        EventType::MessageSent,
        EventType::MessageDeleted,
    ],
    is_relevant: concerns_another_account,
    min_interval: Duration::from_millis(50),
    apply: |batch, context, db| apply(batch, context, db).boxed(),
    rebuild: Rebuild::PLAIN,
};

/// The first statements complete the changes with what only the tables know: what a deleted post had received, whether
/// the parent of a deleted reply still exists, who is in a conversation. Then one statement adds all of it to the days.
async fn apply(batch: &Batch, _: &Context, db: &mut PgConnection) -> Result<Vec<Tag>, ApplyError> {
    let mut changes = Changes::of(batch)?;
    sql::delete_received_of_posts(&mut changes, db).await?;
    sql::add_received(&mut changes, db).await?;
    sql::subtract_received(&mut changes, db).await?;
    members::apply(&mut changes, db).await?;
    sql::add_days(&changes, db).await?;
    sql::delete_empty_days(&changes, db).await?;
    Ok(tags::of(&changes))
}
