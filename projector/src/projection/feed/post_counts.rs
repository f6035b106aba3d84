//! The number of each author's posts in public threads. The posts of a thread are in one partition, but those of an author in many, so
//! the counts are only added to.

use std::collections::BTreeMap;

use feedmill_events::event::v1::Audience;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::fold::Changes;
use crate::error::ApplyError;

/// By author: the change of the number. Also has those whose posts are in threads that get another audience, without a change.
pub type PostCounts = BTreeMap<Uuid, i64>;

/// The changes to posts from before the batch: those that it deletes, and those of threads that cease or begin to be public. Reads the
/// posts and audiences from before the batch.
pub async fn of_existing(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<PostCounts, ApplyError> {
    let deleted = changes.deleted_ids();
    let (roots, public): (Vec<Uuid>, Vec<bool>) = changes
        .audiences
        .of_existing()
        .map(|(root, change)| (root, *change.audience == Audience::Public))
        .unzip();
    if deleted.is_empty() && roots.is_empty() {
        return Ok(PostCounts::default());
    }
    let statement = query!(
        r#"/* feed.changed_post_counts */
        SELECT author AS "author!", sum(change)::bigint AS "change!"
        FROM (
            SELECT p.author, -1 AS change
            FROM posts p LEFT JOIN audiences a ON a.root = p.root
            WHERE p.id = ANY($1) AND coalesce(a.audience, 0) = 0
            UNION ALL
            SELECT p.author, c.public::integer - (coalesce(a.audience, 0) = 0)::integer
            FROM unnest($2::uuid[], $3::boolean[]) AS c(root, public)
            LEFT JOIN audiences a ON a.root = c.root
            JOIN posts p ON p.root = c.root
            WHERE p.id <> ALL($1)
        ) AS changed
        GROUP BY author"#,
        &deleted,
        &roots,
        &public,
    );
    let rows = named("feed.changed_post_counts", statement.fetch_all(db)).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.author, row.change))
        .collect())
}

pub async fn add(counts: &PostCounts, db: &mut PgConnection) -> Result<(), ApplyError> {
    let changed = || counts.iter().filter(|(_, change)| **change != 0);
    let (authors, changes): (Vec<Uuid>, Vec<i64>) = changed().unzip();
    if authors.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.add_post_counts */
        INSERT INTO post_counts AS c (author, posts) SELECT * FROM unnest($1::uuid[], $2::bigint[])
        ON CONFLICT (author) DO UPDATE SET posts = c.posts + excluded.posts",
        &authors,
        &changes,
    );
    named("feed.add_post_counts", statement.execute(&mut *db)).await?;
    let decreased: Vec<Uuid> = changed()
        .filter(|(_, change)| **change < 0)
        .map(|(author, _)| *author)
        .collect();
    if decreased.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_empty_post_counts */ DELETE FROM post_counts WHERE author = ANY($1) AND posts = 0",
        &decreased,
    );
    named("feed.delete_empty_post_counts", statement.execute(db)).await?;
    Ok(())
}
