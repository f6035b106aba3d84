//! feed(viewer), post(id), replies(id), posts of a user.

mod fold;
mod sql;
mod sql_derived;
mod sql_entries;
mod tags;

use feedmill_events::Tag;
use futures::FutureExt as _;
use sqlx::PgConnection;
use uuid::Uuid;

use self::fold::Changes;
use super::{Context, Derived, Migration, Projection, Rebuild};
use crate::{batch::Batch, error::ApplyError};

pub static PROJECTION: Projection = Projection {
    name: "feed",
    migrations: &[Migration {
        name: "0001_feed",
        sql: include_str!("../../../../migrations/read/feed/0001_feed.sql"),
    }],
    wants: &[
        "account.followed",
        "account.unfollowed",
        "post.created",
        "post.deleted",
        "post.liked",
        "post.unliked",
    ],
    apply: |batch, context, connection| apply(batch, context, connection).boxed(),
    rebuild: Rebuild {
        indexes: &[],
        derived: Some(Derived {
            tables: &["feed_entries", "feed_floors"],
            apply: |batch, _, connection| apply_without_entries(batch, connection).boxed(),
            derive: |context, connection| sql_derived::fill_entries(context, connection).boxed(),
            check: |limit, connection| sql_derived::wrong_entries(limit, connection).boxed(),
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
    let counted = apply_changes(&changes, db).await?;
    let mut grown = sql_entries::fan_out(&changes, context, db).await?;
    grown.extend(sql_entries::backfill(&changes, context, db).await?);
    sql_entries::trim(grown, context, db).await?;
    Ok(tags::of(&changes, &counted))
}

async fn apply_without_entries(
    batch: &Batch,
    db: &mut PgConnection,
) -> Result<Vec<Tag>, ApplyError> {
    apply_changes(&Changes::of(batch)?, db).await?;
    Ok(vec![])
}

/// To posts, likes and follows. Gives the root posts of before the batch whose counts it changed.
async fn apply_changes(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    sql::delete_posts(changes, db).await?;
    sql::delete_likes_of_posts(changes, db).await?;
    sql::delete_follows(changes, db).await?;
    sql::insert_follows(changes, db).await?;
    sql::insert_posts(changes, db).await?;
    sql::delete_likes(changes, db).await?;
    sql::insert_likes(changes, db).await?;
    sql::add_counts(changes, db).await
}
