//! The statements for feed entries.
//!
//! The entries of a feed are complete at and above its floor; entries below the floor are ignored, so missing or
//! leftover ones do no harm. Floors only rise, which makes these statements commute between instances that own different
//! partitions.

use feedmill_service::sql::named;
use sqlx::{PgConnection, query, query_scalar};
use uuid::Uuid;

use super::fold::Changes;
use crate::{error::ApplyError, projection::definition::Context};

/// Deletes the entries of deleted root posts from the feeds of their authors and of everyone who got their posts before
/// the batch.
pub async fn delete_of_posts(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let posts: Vec<Uuid> = changes
        .deleted
        .iter()
        .filter(|(_, post)| post.reply_to.is_none())
        .map(|(id, _)| *id)
        .collect();
    if posts.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_entries_of_posts */
        DELETE FROM feed_entries e
        USING (
            SELECT f.viewer, p.id FROM posts p JOIN feed_sources f ON f.author = p.author
            WHERE p.id = ANY($1) AND NOT p.pulled
            UNION ALL
            SELECT author, id FROM posts WHERE id = ANY($1)
        ) gone
        WHERE e.viewer = gone.viewer AND e.post_id = gone.id",
        &posts,
    );
    named("feed.delete_entries_of_posts", statement.execute(db)).await?;
    Ok(())
}

/// Says in the entries of root posts with whom these are shared now.
pub async fn share(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    let posts: Vec<Uuid> = changes
        .audiences
        .of_existing()
        .map(|(root, _)| root)
        .collect();
    if posts.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.share_entries */
        UPDATE feed_entries e SET shared_with = changed.shared_with
        FROM (
            SELECT f.viewer, p.id, p.shared_with FROM posts p JOIN feed_sources f ON f.author = p.author
            WHERE p.id = ANY($1) AND NOT p.pulled
            UNION ALL
            SELECT author, id, author FROM posts WHERE id = ANY($1)
        ) changed
        WHERE e.viewer = changed.viewer AND e.post_id = changed.id
            AND e.shared_with IS DISTINCT FROM changed.shared_with",
        &posts,
    );
    named("feed.share_entries", statement.execute(db)).await?;
    Ok(())
}

/// Deletes the entries of authors from the feeds of viewers who no longer get their posts.
///
/// Only nested loops in this order are possible. As a join, it was planned for empty tables with all entries of a viewer for each
/// pair, which took half of PostgreSQL's time in an import with many blocks.
pub async fn delete_of_authors(
    ended: &[(Uuid, Uuid)],
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let (authors, viewers): (Vec<Uuid>, Vec<Uuid>) = ended.iter().copied().unzip();
    if authors.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_entries_of_authors */
        DELETE FROM feed_entries WHERE ctid = ANY (ARRAY(
            SELECT entry.ctid FROM unnest($1::uuid[], $2::uuid[]) AS s(author, viewer)
            LEFT JOIN feed_floors fl ON fl.viewer = s.viewer
            CROSS JOIN (VALUES (0::smallint), (1::smallint), (2::smallint), (3::smallint)) AS lane(audience)
            CROSS JOIN LATERAL (
                SELECT q.id FROM posts q
                WHERE q.author = s.author AND q.audience = lane.audience AND q.reply_to IS NULL AND NOT q.pulled
                    AND q.id >= coalesce(fl.floor, '00000000-0000-0000-0000-000000000000')
                OFFSET 0
            ) p
            CROSS JOIN LATERAL (
                SELECT e.ctid FROM feed_entries e WHERE e.viewer = s.viewer AND e.post_id = p.id LIMIT 1
            ) entry
        ))",
        &authors,
        &viewers,
    );
    named("feed.delete_entries_of_authors", statement.execute(db)).await?;
    Ok(())
}

/// Inserts the newest `feed_depth` pushed posts of authors into the feeds of viewers who begin to get their posts. If an
/// author has more, the feed's floor rises to the oldest inserted one: below it, the feed is read from the authors'
/// posts. Returns a sample of the viewers, as `insert_posts` does.
pub async fn backfill(
    started: &[(Uuid, Uuid)],
    context: &Context,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    let (authors, viewers): (Vec<Uuid>, Vec<Uuid>) = started.iter().copied().unzip();
    if authors.is_empty() {
        return Ok(vec![]);
    }
    let statement = query_scalar!(
        r#"/* feed.backfill */
        WITH wanted AS (
            SELECT s.viewer, p.id, p.shared_with, p.place, p.is_last
            FROM unnest($1::uuid[], $2::uuid[]) AS s(author, viewer)
            LEFT JOIN feed_floors fl ON fl.viewer = s.viewer
            CROSS JOIN LATERAL (
                SELECT newest.id, newest.shared_with,
                    row_number() OVER (ORDER BY newest.id DESC) AS place,
                    lead(newest.id) OVER (ORDER BY newest.id DESC) IS NULL AS is_last
                FROM (
                    SELECT root.id, root.shared_with
                    FROM (VALUES (0::smallint), (1::smallint), (2::smallint), (3::smallint)) AS lane(audience)
                    CROSS JOIN LATERAL (
                        SELECT q.id, q.shared_with FROM posts q
                        WHERE q.author = s.author AND NOT q.pulled AND q.audience = lane.audience AND q.reply_to IS NULL
                            AND q.id >= coalesce(fl.floor, '00000000-0000-0000-0000-000000000000')
                        ORDER BY q.id DESC LIMIT $3::bigint + 1
                    ) root
                    ORDER BY root.id DESC LIMIT $3::bigint + 1
                ) newest
            ) p
        ), raised AS (
            INSERT INTO feed_floors AS old (viewer, floor)
            SELECT DISTINCT ON (viewer) viewer, id FROM wanted
            WHERE place = $3 AND NOT is_last
            ORDER BY viewer, id DESC
            ON CONFLICT (viewer) DO UPDATE SET floor = greatest(old.floor, excluded.floor)
        ), made AS (
            INSERT INTO feed_entries (viewer, post_id, shared_with)
            SELECT viewer, id, shared_with FROM wanted WHERE place <= $3 ORDER BY 1, 2
            ON CONFLICT DO NOTHING
            RETURNING viewer, post_id
        )
        SELECT DISTINCT viewer FROM made
        WHERE (uuid_hash(viewer)::bigint # uuid_hash(post_id)::bigint) % $3 = 0"#,
        &authors,
        &viewers,
        context.feed_depth,
    );
    Ok(named("feed.backfill", statement.fetch_all(db)).await?)
}

/// Trims those of these feeds that have more than `2 * feed_depth` entries to `feed_depth`.
///
/// Checking whether a feed needs trimming costs as much as trimming it. The samples therefore contain a feed once per
/// `feed_depth` new entries on average, and a feed is trimmed at about three times `feed_depth`.
pub async fn trim(
    mut viewers: Vec<Uuid>,
    context: &Context,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    if viewers.is_empty() {
        return Ok(());
    }
    viewers.sort_unstable();
    viewers.dedup();
    let statement = query!(
        "/* feed.trim */
        WITH raised AS (
            INSERT INTO feed_floors AS old (viewer, floor)
            SELECT v.viewer, last.post_id FROM unnest($1::uuid[]) AS v(viewer)
            CROSS JOIN LATERAL (
                SELECT 1 FROM feed_entries WHERE viewer = v.viewer
                ORDER BY post_id DESC LIMIT 1 OFFSET 2 * $2::bigint
            ) AS beyond
            CROSS JOIN LATERAL (
                SELECT post_id FROM feed_entries WHERE viewer = v.viewer
                ORDER BY post_id DESC LIMIT 1 OFFSET $2::bigint - 1
            ) AS last
            ORDER BY v.viewer
            ON CONFLICT (viewer) DO UPDATE SET floor = greatest(old.floor, excluded.floor)
            RETURNING viewer, floor
        )
        DELETE FROM feed_entries e USING raised r WHERE e.viewer = r.viewer AND e.post_id < r.floor",
        &viewers,
        context.feed_depth,
    );
    named("feed.trim", statement.execute(db)).await?;
    Ok(())
}
