//! feed(viewer), post(id), replies(id), posts of a user.

mod fold;
mod sql;
mod sql_authors;
mod sql_derived;
mod sql_entries;
mod tags;

use std::time::Duration;

use feedmill_events::{EventType, Projection, Tag};
use futures::FutureExt as _;
use sqlx::PgConnection;
use uuid::Uuid;

use self::fold::{Changes, Pulled};
use super::{Context, Definition, Derived, Migration, Rebuild};
use crate::{batch::Batch, error::ApplyError};

pub static DEFINITION: Definition = Definition {
    projection: Projection::Feed,
    migrations: &[Migration {
        name: "0001_feed",
        sql: include_str!("../../../../migrations/read/feed/0001_feed.sql"),
    }],
    event_types: &[
        EventType::AccountFollowed,
        EventType::AccountUnfollowed,
        EventType::PostCreated,
        EventType::PostDeleted,
        EventType::PostLiked,
        EventType::PostUnliked,
    ],
    concerns: |_| true,
    pace: Duration::ZERO,
    apply: |batch, context, connection| apply(batch, context, connection).boxed(),
    rebuild: Rebuild {
        indexes: &[],
        derived: Some(Derived {
            tables: &["feed_entries", "feed_floors", "pulled_authors"],
            columns: &["pulled"],
            apply: |batch, context, connection| {
                apply_without_derived(batch, context, connection).boxed()
            },
            derive: |context, gently, connection| {
                sql_derived::fill(context, gently, connection).boxed()
            },
            check: |limit, connection| sql_derived::check(limit, connection).boxed(),
        }),
    },
};

/// The order matters: what goes is found by the follows and posts of before the batch, what comes by those
/// of after it.
async fn apply(
    batch: &Batch,
    context: &Context,
    db: &mut PgConnection,
) -> Result<Vec<Tag>, ApplyError> {
    let changes = Changes::of(batch)?;
    sql_entries::delete_of_posts(&changes, db).await?;
    sql_entries::delete_of_follows(&changes, db).await?;
    let mut applied = apply_changes(&changes, true, context, db).await?;
    sql_authors::add_pulled(&applied.pulled, db).await?;
    let more = sql_entries::backfill(&changes, context, db).await?;
    applied.grown.extend(more);
    sql_entries::trim(applied.grown, context, db).await?;
    Ok(tags::of(&changes, &applied.counted))
}

async fn apply_without_derived(
    batch: &Batch,
    context: &Context,
    db: &mut PgConnection,
) -> Result<Vec<Tag>, ApplyError> {
    apply_changes(&Changes::of(batch)?, false, context, db).await?;
    Ok(vec![])
}

/// What came of changes.
struct Applied {
    pulled: Pulled,
    /// Some of the viewers whose feeds have grown.
    grown: Vec<Uuid>,
    /// The root posts of before the batch whose counts it changed.
    counted: Vec<Uuid>,
}

/// To posts, likes and follows; and to the entries, if new posts are to be pushed.
async fn apply_changes(
    changes: &Changes<'_>,
    push: bool,
    context: &Context,
    db: &mut PgConnection,
) -> Result<Applied, ApplyError> {
    let mut pulled = Pulled::default();
    sql::delete_posts(changes, &mut pulled, db).await?;
    sql::delete_likes_of_posts(changes, db).await?;
    sql::delete_follows(changes, db).await?;
    sql::insert_follows(changes, db).await?;
    let grown = sql::insert_posts(changes, push, context, &mut pulled, db).await?;
    sql_authors::add_followers(changes, db).await?;
    sql::delete_likes(changes, db).await?;
    let counted = sql::insert_likes_and_count(changes, db).await?;
    Ok(Applied {
        pulled,
        grown,
        counted,
    })
}
