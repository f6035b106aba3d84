//! feed(viewer), post(id), replies(id), posts of a user.

mod fold;
mod sql;
mod sql_entries;

use futures::FutureExt as _;
use sqlx::PgConnection;

use self::fold::Changes;
use super::{Context, Migration, Projection};
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
};

/// The order matters: what goes is found by the follows and posts of before the batch, what comes by those
/// of after it.
async fn apply(batch: &Batch, context: &Context, db: &mut PgConnection) -> Result<(), ApplyError> {
    let changes = Changes::of(batch)?;
    sql_entries::delete_of_posts(&changes, db).await?;
    sql_entries::delete_of_follows(&changes, db).await?;
    sql::delete_posts(&changes, db).await?;
    sql::delete_likes_of_posts(&changes, db).await?;
    sql::delete_follows(&changes, db).await?;
    sql::insert_follows(&changes, db).await?;
    sql::insert_posts(&changes, db).await?;
    sql::delete_likes(&changes, db).await?;
    sql::insert_likes(&changes, db).await?;
    sql::add_counts(&changes, db).await?;
    let mut grown = sql_entries::fan_out(&changes, context, db).await?;
    grown.extend(sql_entries::backfill(&changes, context, db).await?);
    sql_entries::trim(grown, context, db).await
}
