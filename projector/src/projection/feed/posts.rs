//! The statements for posts and their counts. Each does nothing, at no cost, when it has nothing to do.

use chrono::{DateTime, Utc};
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::{
    fold::{Changes, PulledPosts, Thread},
    post_counts::PostCounts,
};
use crate::{
    error::{ApplyError, expect_rows},
    projection::definition::Context,
};

/// Subtracts the pulled ones among them from `pulled`.
pub async fn delete_posts(
    changes: &Changes<'_>,
    pulled: &mut PulledPosts,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let ids = changes.deleted_ids();
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

/// Notes what the deleted replies replied to.
pub async fn insert_deleted_replies(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    if changes.deleted_replies.is_empty() {
        return Ok(());
    }
    let (ids, parents): (Vec<Uuid>, Vec<Uuid>) = changes.deleted_replies.iter().unzip();
    let statement = query!(
        "/* feed.insert_deleted_replies */
        INSERT INTO deleted_replies (id, reply_to) SELECT * FROM unnest($1::uuid[], $2::uuid[])",
        &ids,
        &parents,
    );
    named("feed.insert_deleted_replies", statement.execute(db)).await?;
    Ok(())
}

/// Inserts new posts. The thread of a reply is that of the post that it answers, so this comes before `delete_posts`. A root
/// post is pulled if its author has too many followers at its place in the log, so this comes
/// before `add_followers`. With `push`, inserts the entries of the others, for their authors and all followers, and
/// returns a sample of the viewers whose feeds have grown, as candidates for trimming. Adds the posts in public threads to `counts`,
/// so this comes after the audiences are saved.
pub async fn insert_posts(
    changes: &Changes<'_>,
    push: bool,
    context: &Context,
    pulled: &mut PulledPosts,
    counts: &mut PostCounts,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    if changes.created.is_empty() {
        return Ok(vec![]);
    }
    let ids: Vec<Uuid> = changes.created.keys().copied().collect();
    let posts = || changes.created.values();
    let threads = || posts().map(|post| post.thread);
    let statement = query!(
        r#"/* feed.insert_posts */
        WITH made AS (
            INSERT INTO posts (
                id, author, reply_to, text, like_count, reply_count, created_at, edited_at, pulled, root, root_author,
                audience, shared_with
            )
            SELECT n.id, n.author, n.reply_to, n.text, n.likes, n.replies, n.created_at, n.edited_at,
                n.reply_to IS NULL AND coalesce(f.followers, 0) + n.new_followers > $9,
                coalesce(n.root, thread.root), coalesce(n.root_author, thread.root_author),
                coalesce(a.audience, 0), shared_with(a.author, a.audience, a.tags)
            FROM unnest(
                $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[],
                $8::bigint[], $12::uuid[], $13::uuid[], $14::uuid[], $15::timestamptz[]
            ) AS n(
                id, author, reply_to, text, likes, replies, created_at, new_followers, root, root_author, thread_of,
                edited_at
            )
            LEFT JOIN feed_followers f ON f.author = n.author AND n.reply_to IS NULL
            LEFT JOIN posts thread ON thread.id = n.thread_of
            LEFT JOIN audiences a ON a.root = n.id
            RETURNING id, author, reply_to, pulled, root, shared_with
        ), pushed AS MATERIALIZED (
            SELECT id, author, shared_with FROM made WHERE $10 AND reply_to IS NULL AND NOT pulled
        ), entries AS (
            INSERT INTO feed_entries (viewer, post_id, shared_with)
            SELECT f.viewer, p.id, p.shared_with FROM pushed p JOIN feed_sources f ON f.author = p.author
            UNION ALL
            SELECT author, id, author FROM pushed
            ORDER BY 1, 2
            RETURNING viewer, post_id
        )
        SELECT made.author AS "account!", count(*) FILTER (WHERE made.pulled) AS "pulled!",
            count(*) FILTER (WHERE coalesce(a.audience, 0) = 0) AS "public!", false AS "grown!"
        FROM made LEFT JOIN audiences a ON a.root = made.root
        GROUP BY made.author
        UNION ALL
        SELECT DISTINCT viewer, 0, 0, true FROM entries
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
        &threads().map(Thread::root).collect::<Vec<_>>() as &[Option<Uuid>],
        &threads().map(Thread::root_author).collect::<Vec<_>>() as &[Option<Uuid>],
        &threads().map(Thread::post).collect::<Vec<_>>() as &[Option<Uuid>],
        &posts().map(|post| post.edited_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
    );
    let mut grown = vec![];
    for row in named("feed.insert_posts", statement.fetch_all(db)).await? {
        if row.grown {
            grown.push(row.account);
            continue;
        }
        *counts.entry(row.account).or_default() += row.public;
        if row.pulled > 0 {
            *pulled.entry(row.account).or_default() += row.pulled;
        }
    }
    Ok(grown)
}

/// Changes the texts of edited posts.
pub async fn edit_posts(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    if changes.edited.is_empty() {
        return Ok(());
    }
    let edits = || changes.edited.values();
    let statement = query!(
        "/* feed.edit_posts */
        UPDATE posts p SET text = e.text, edited_at = e.at
        FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS e(id, text, at)
        WHERE p.id = e.id",
        &changes.edited.keys().copied().collect::<Vec<_>>(),
        &edits().map(|edit| edit.text).collect::<Vec<_>>() as &[&str],
        &edits().map(|edit| edit.at).collect::<Vec<_>>(),
    );
    let done = named("feed.edit_posts", statement.execute(db)).await?;
    expect_rows(
        "feed.edit_posts",
        changes.edited.len(),
        done.rows_affected(),
    )
}

/// Inserts new likes and changes the counts of liked and replied-to posts, in one statement because a like does both.
/// The parent of a reply may have been deleted by an earlier batch; then there is nothing to count. Returns the root
/// posts whose counts changed.
pub async fn insert_likes_and_count(
    changes: &Changes<'_>,
    db: &mut PgConnection,
) -> Result<Vec<Uuid>, ApplyError> {
    let (mut posts, mut users, mut times) = (vec![], vec![], vec![]);
    for ((post, user), at) in changes.links.likes.current() {
        posts.push(post);
        users.push(user);
        times.push(*at);
    }
    if posts.is_empty() && changes.counts.is_empty() {
        return Ok(vec![]);
    }
    let statement = query!(
        "/* feed.insert_likes_and_count */
        WITH liked AS (
            INSERT INTO likes (post_id, user_id, liked_at)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
        )
        UPDATE posts p SET like_count = p.like_count + d.likes, reply_count = p.reply_count + d.replies
        FROM unnest($4::uuid[], $5::bigint[], $6::bigint[]) AS d(id, likes, replies)
        WHERE p.id = d.id
        RETURNING p.id, p.reply_to",
        &posts,
        &users,
        &times,
        &changes.counts.keys().copied().collect::<Vec<_>>(),
        &changes.counts.values().map(|counts| counts.likes).collect::<Vec<_>>(),
        &changes.counts.values().map(|counts| counts.replies).collect::<Vec<_>>(),
    );
    let counted = named("feed.insert_likes_and_count", statement.fetch_all(db)).await?;
    let roots = counted.into_iter().filter(|post| post.reply_to.is_none());
    Ok(roots.map(|post| post.id).collect())
}
