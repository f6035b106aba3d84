//! The number of posts, by partition.

use feedmill_service::sql::named;
use sqlx::{PgConnection, query};

use super::fold::Changes;
use crate::{error::ApplyError, projection::totals::by_partition};

/// A partition without posts has no row, so that the same log always gives the same rows.
pub async fn add(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    let (created, deleted) = (changes.created.keys(), changes.deleted.keys());
    let posts = by_partition(created.copied(), deleted.copied());
    if posts.is_empty() {
        return Ok(());
    }
    let (partitions, changes): (Vec<i16>, Vec<i64>) = posts.into_iter().unzip();
    let statement = query!(
        "/* feed.add_post_totals */
        INSERT INTO post_totals AS t (partition, posts) SELECT * FROM unnest($1::smallint[], $2::bigint[])
        ON CONFLICT (partition) DO UPDATE SET posts = t.posts + excluded.posts",
        &partitions,
        &changes,
    );
    named("feed.add_post_totals", statement.execute(&mut *db)).await?;
    if changes.iter().all(|change| *change > 0) {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_empty_post_totals */ DELETE FROM post_totals WHERE partition = ANY($1) AND posts = 0",
        &partitions,
    );
    named("feed.delete_empty_post_totals", statement.execute(db)).await?;
    Ok(())
}
