//! The statements for posts, likes and follows. Each does nothing, at no cost, when it has nothing to do.

use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::fold::{Changes, Pulled};
use crate::{
    error::{ApplyError, expect_rows},
    projection::Context,
};

/// Takes those that were pulled from what is added.
pub async fn delete_posts(
    changes: &Changes<'_>,
    pulled: &mut Pulled,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let ids: Vec<Uuid> = changes.deleted.keys().copied().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_posts */ DELETE FROM posts WHERE id = ANY($1) RETURNING author, pulled",
        &ids
    );
    let gone = named("feed.delete_posts", statement.fetch_all(db)).await?;
    for post in gone.iter().filter(|post| post.pulled) {
        *pulled.entry(post.author).or_default() -= 1;
    }
    expect_rows("feed.delete_posts", ids.len(), gone.len() as u64)
}

pub async fn delete_likes_of_posts(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let ids: Vec<Uuid> = changes.deleted.keys().copied().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_likes_of_posts */ DELETE FROM likes WHERE post_id = ANY($1)",
        &ids
    );
    named("feed.delete_likes_of_posts", statement.execute(db)).await?;
    Ok(())
}

pub async fn delete_follows(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let (authors, viewers): (Vec<Uuid>, Vec<Uuid>) = changes.follows.stopped().unzip();
    if authors.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_follows */
        DELETE FROM feed_follows f USING unnest($1::uuid[], $2::uuid[]) AS o(author, viewer)
        WHERE f.author = o.author AND f.viewer = o.viewer",
        &authors,
        &viewers,
    );
    let done = named("feed.delete_follows", statement.execute(db)).await?;
    expect_rows("feed.delete_follows", authors.len(), done.rows_affected())
}

pub async fn insert_follows(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let (authors, viewers): (Vec<Uuid>, Vec<Uuid>) = changes.follows.started().unzip();
    if authors.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.insert_follows */
        INSERT INTO feed_follows (author, viewer) SELECT * FROM unnest($1::uuid[], $2::uuid[])",
        &authors,
        &viewers,
    );
    named("feed.insert_follows", statement.execute(db)).await?;
    Ok(())
}

/// A root post is pulled if its author has too many followers at its place in the log. Goes before `add_followers`.
/// If it is to, also puts the others into the feeds of their authors and of everyone who follows them; then it gives a
/// sample of the viewers whose feeds have grown, to be looked at for trimming.
pub async fn insert_posts(
    changes: &Changes<'_>,
    push: bool,
    context: &Context,
    pulled: &mut Pulled,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    if changes.created.is_empty() {
        return Ok(vec![]);
    }
    let ids: Vec<Uuid> = changes.created.keys().copied().collect();
    let posts = || changes.created.values();
    let statement = query!(
        r#"/* feed.insert_posts */
        WITH made AS (
            INSERT INTO posts (id, author, reply_to, text, like_count, reply_count, created_at, pulled)
            SELECT n.id, n.author, n.reply_to, n.text, n.likes, n.replies, n.created_at,
                n.reply_to IS NULL AND coalesce(f.followers, 0) + n.new_followers > $9
            FROM unnest(
                $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[],
                $8::bigint[]
            ) AS n(id, author, reply_to, text, likes, replies, created_at, new_followers)
            LEFT JOIN feed_followers f ON f.author = n.author AND n.reply_to IS NULL
            RETURNING id, author, reply_to, pulled
        ), pushed AS MATERIALIZED (
            SELECT id, author FROM made WHERE $10 AND reply_to IS NULL AND NOT pulled
        ), entries AS (
            INSERT INTO feed_entries (viewer, post_id)
            SELECT f.viewer, p.id FROM pushed p JOIN feed_follows f ON f.author = p.author
            UNION ALL
            SELECT author, id FROM pushed
            ORDER BY 1, 2
            RETURNING viewer, post_id
        )
        SELECT true AS "pulled!", author AS "account!" FROM made WHERE pulled
        UNION ALL
        SELECT DISTINCT false, viewer FROM entries
        WHERE (uuid_hash(viewer)::bigint # uuid_hash(post_id)::bigint) % $11 = 0"#,
        &ids,
        &posts().map(|post| post.author).collect::<Vec<_>>(),
        &posts().map(|post| post.reply_to).collect::<Vec<_>>() as &[Option<Uuid>],
        &posts().map(|post| post.text).collect::<Vec<_>>() as &[&str],
        &posts().map(|post| post.counts.likes).collect::<Vec<_>>(),
        &posts().map(|post| post.counts.replies).collect::<Vec<_>>(),
        &posts().map(|post| post.created_at).collect::<Vec<_>>(),
        &posts().map(|post| post.new_followers).collect::<Vec<_>>(),
        context.fanout_max_followers,
        push,
        context.feed_depth,
    );
    let mut grown = vec![];
    for row in named("feed.insert_posts", statement.fetch_all(db)).await? {
        if row.pulled {
            *pulled.entry(row.account).or_default() += 1;
        } else {
            grown.push(row.account);
        }
    }
    Ok(grown)
}

pub async fn delete_likes(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    let (posts, users): (Vec<Uuid>, Vec<Uuid>) = changes.likes.stopped().unzip();
    if posts.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* feed.delete_likes */
        DELETE FROM likes l USING unnest($1::uuid[], $2::uuid[]) AS o(post_id, user_id)
        WHERE l.post_id = o.post_id AND l.user_id = o.user_id",
        &posts,
        &users,
    );
    let done = named("feed.delete_likes", statement.execute(db)).await?;
    expect_rows("feed.delete_likes", posts.len(), done.rows_affected())
}

/// Inserts likes, and adds to the counts of what is liked or answered. A post that a reply answers may be gone since an
/// earlier batch; then there is nothing to count. Gives the root posts among those that were counted.
pub async fn insert_likes_and_count(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    let (posts, users): (Vec<Uuid>, Vec<Uuid>) = changes.likes.started().unzip();
    if posts.is_empty() && changes.counts.is_empty() {
        return Ok(vec![]);
    }
    let statement = query!(
        "/* feed.insert_likes_and_count */
        WITH liked AS (
            INSERT INTO likes (post_id, user_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
        )
        UPDATE posts p SET like_count = p.like_count + d.likes, reply_count = p.reply_count + d.replies
        FROM unnest($3::uuid[], $4::bigint[], $5::bigint[]) AS d(id, likes, replies)
        WHERE p.id = d.id
        RETURNING p.id, p.reply_to",
        &posts,
        &users,
        &changes.counts.keys().copied().collect::<Vec<_>>(),
        &changes.counts.values().map(|counts| counts.likes).collect::<Vec<_>>(),
        &changes.counts.values().map(|counts| counts.replies).collect::<Vec<_>>(),
    );
    let counted = named("feed.insert_likes_and_count", statement.fetch_all(db)).await?;
    let roots = counted.into_iter().filter(|post| post.reply_to.is_none());
    Ok(roots.map(|post| post.id).collect())
}
