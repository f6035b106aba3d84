//! The tables that are derived from posts and follows (feed entries, floors and the authors of pulled posts): filled at
//! once by a rebuild, and checked by a comparison.

use std::time::Duration;

use feedmill_service::sql::named;
use sqlx::{AssertSqlSafe, PgConnection, query, query_scalar};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{error::ApplyError, projection::definition::Context};

/// The number of feeds filled by one statement.
const FEEDS_PER_STEP: usize = 10_000;
/// The same for the first gentle step. Later steps are sized to take about [`GENTLE_STEP_TIME`].
const FEEDS_PER_GENTLE_STEP: usize = 8;
const GENTLE_STEP_TIME: Duration = Duration::from_millis(20);

/// Fills the empty tables: the newest `feed_depth` pushed posts of every feed and, if there may be more, a floor at the
/// oldest of them. The result depends only on posts, follows and `feed_depth`. Rows are inserted in the order of the
/// primary key, which only appends to its index. A gentle fill pauses after each step for as long as the step took.
pub async fn fill(
    context: &Context,
    gently: bool,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let statement = sqlx::query(
        "/* feed.fill_viewers */
        DECLARE viewers NO SCROLL CURSOR FOR
        SELECT viewer FROM feed_sources
        UNION SELECT author FROM posts WHERE reply_to IS NULL AND NOT pulled ORDER BY 1",
    );
    named("feed.fill_viewers", statement.execute(&mut *db)).await?;
    let mut feeds = if gently {
        FEEDS_PER_GENTLE_STEP
    } else {
        FEEDS_PER_STEP
    };
    loop {
        let fetch = AssertSqlSafe(format!("FETCH {feeds} FROM viewers"));
        let viewers: Vec<Uuid> = sqlx::query_scalar(fetch).fetch_all(&mut *db).await?;
        if viewers.is_empty() {
            break;
        }
        let start = Instant::now();
        fill_entries(&viewers, context, db).await?;
        if gently {
            let took = start.elapsed();
            sleep(took).await;
            feeds = match took {
                took if took > 2 * GENTLE_STEP_TIME => (feeds / 2).max(1),
                took if took < GENTLE_STEP_TIME / 2 => (feeds * 2).min(FEEDS_PER_STEP),
                _ => feeds,
            };
        }
    }
    let statement = query!(
        "/* feed.fill_floors */
        INSERT INTO feed_floors (viewer, floor)
        SELECT full_one.viewer, last.post_id
        FROM (SELECT viewer FROM feed_entries GROUP BY viewer HAVING count(*) >= $1 ORDER BY 1) full_one
        CROSS JOIN LATERAL (
            SELECT post_id FROM feed_entries e WHERE e.viewer = full_one.viewer ORDER BY post_id LIMIT 1
        ) last",
        context.feed_depth,
    );
    named("feed.fill_floors", statement.execute(&mut *db)).await?;
    let statement = query!(
        "/* feed.fill_pulled */
        INSERT INTO pulled_authors (author, posts)
        SELECT author, count(*) FROM posts WHERE pulled GROUP BY author ORDER BY author",
    );
    named("feed.fill_pulled", statement.execute(db)).await?;
    Ok(())
}

async fn fill_entries(
    viewers: &[Uuid],
    context: &Context,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let statement = query!(
        "/* feed.fill_entries */
        INSERT INTO feed_entries (viewer, post_id, shared_with)
        SELECT v.viewer, newest.id, newest.shared_with
        FROM (SELECT * FROM unnest($2::uuid[]) AS v(viewer) ORDER BY 1) v
        CROSS JOIN LATERAL (
            SELECT id, shared_with FROM (
                SELECT root.id, CASE followed.author WHEN v.viewer THEN v.viewer ELSE root.shared_with END AS shared_with
                FROM (
                    SELECT f.author FROM feed_sources f WHERE f.viewer = v.viewer UNION ALL SELECT v.viewer
                ) followed
                CROSS JOIN (VALUES (0::smallint), (1::smallint), (2::smallint), (3::smallint)) AS lane(audience)
                CROSS JOIN LATERAL (
                    SELECT p.id, p.shared_with FROM posts p
                    WHERE p.author = followed.author AND NOT p.pulled AND p.audience = lane.audience
                        AND p.reply_to IS NULL
                    ORDER BY p.id DESC LIMIT $1
                ) root
                ORDER BY root.id DESC LIMIT $1
            ) latest ORDER BY id
        ) newest",
        context.feed_depth,
        viewers,
    );
    named("feed.fill_entries", statement.execute(db)).await?;
    Ok(())
}

/// Describes rows that are missing or too many, at most `limit` per kind.
pub async fn check(limit: i64, db: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    let statement = query_scalar!(
        r#"/* feed.wrong_pulled */
        SELECT format('%s has %s pulled posts instead of %s', author, coalesce(p.posts, 0), coalesce(x.posts, 0))
            AS "line!"
        FROM (SELECT author, count(*) AS posts FROM posts WHERE pulled GROUP BY author) x
        FULL JOIN pulled_authors p USING (author)
        WHERE x.posts IS DISTINCT FROM p.posts
        ORDER BY author LIMIT $1"#,
        limit,
    );
    let mut lines = named("feed.wrong_pulled", statement.fetch_all(&mut *db)).await?;
    lines.extend(wrong_entries(limit, db).await?);
    Ok(lines)
}

/// Checks entries at or above the floors. All feeds are compared by checksums first, which sorts nothing large.
async fn wrong_entries(limit: i64, db: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    let statement = query_scalar!(
        r#"/* feed.wrong_feeds */
        WITH expected AS (
            SELECT viewer, count(*) AS entries, sum(uuid_hash_extended(id, coalesce(uuid_hash(shared_with), 0))) AS hash
            FROM (
                SELECT f.viewer, p.id, p.shared_with FROM feed_sources f
                LEFT JOIN feed_floors fl ON fl.viewer = f.viewer
                JOIN posts p ON p.author = f.author AND p.reply_to IS NULL AND NOT p.pulled
                    AND p.id >= coalesce(fl.floor, '00000000-0000-0000-0000-000000000000')
                UNION ALL
                SELECT p.author, p.id, p.author FROM posts p
                LEFT JOIN feed_floors fl ON fl.viewer = p.author
                WHERE p.reply_to IS NULL AND NOT p.pulled
                    AND p.id >= coalesce(fl.floor, '00000000-0000-0000-0000-000000000000')
            ) roots
            GROUP BY viewer
        ), actual AS (
            SELECT e.viewer, count(*) AS entries, sum(uuid_hash_extended(e.post_id, coalesce(uuid_hash(e.shared_with), 0))) AS hash
            FROM feed_entries e
            LEFT JOIN feed_floors fl ON fl.viewer = e.viewer
            WHERE e.post_id >= coalesce(fl.floor, '00000000-0000-0000-0000-000000000000')
            GROUP BY e.viewer
        )
        SELECT viewer AS "viewer!" FROM expected x FULL JOIN actual a USING (viewer)
        WHERE x.entries IS DISTINCT FROM a.entries OR x.hash IS DISTINCT FROM a.hash
        ORDER BY 1 LIMIT $1"#,
        limit,
    );
    let viewers = named("feed.wrong_feeds", statement.fetch_all(&mut *db)).await?;
    if viewers.is_empty() {
        return Ok(vec![]);
    }
    let statement = query_scalar!(
        r#"/* feed.wrong_entries */
        WITH viewers AS (
            SELECT v.viewer, coalesce(fl.floor, '00000000-0000-0000-0000-000000000000') AS floor
            FROM unnest($1::uuid[]) AS v(viewer) LEFT JOIN feed_floors fl ON fl.viewer = v.viewer
        ), expected AS (
            SELECT v.viewer, p.id, CASE p.author WHEN v.viewer THEN v.viewer ELSE p.shared_with END AS shared_with
            FROM viewers v
            CROSS JOIN LATERAL (
                SELECT f.author FROM feed_sources f WHERE f.viewer = v.viewer UNION ALL SELECT v.viewer
            ) followed
            JOIN posts p ON p.author = followed.author AND p.reply_to IS NULL AND NOT p.pulled AND p.id >= v.floor
        ), actual AS (
            SELECT v.viewer, e.post_id AS id, e.shared_with FROM viewers v
            JOIN feed_entries e ON e.viewer = v.viewer AND e.post_id >= v.floor
        )
        SELECT format('the feed of %s %s post %s', viewer,
            CASE
                WHEN a.id IS NULL THEN 'lacks'
                WHEN x.id IS NULL THEN 'should not have'
                ELSE 'does not say correctly with whom it is shared:'
            END, id) AS "line!"
        FROM expected x FULL JOIN actual a USING (viewer, id)
        WHERE x.id IS NULL OR a.id IS NULL OR x.shared_with IS DISTINCT FROM a.shared_with
        ORDER BY viewer, id LIMIT $2"#,
        &viewers,
        limit,
    );
    named("feed.wrong_entries", statement.fetch_all(db)).await
}
