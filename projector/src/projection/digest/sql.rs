//! The statements for what posts and accounts receive. Each does nothing, at no cost, when it has nothing to do.

use chrono::NaiveDate;
use feedmill_service::sql::named;
use sqlx::{PgConnection, query};
use uuid::Uuid;

use super::fold::{Changes, Day, Received};
use crate::error::ApplyError;

/// Subtracts what deleted posts had received before the batch from their authors' days.
pub async fn delete_received_of_posts(
    changes: &mut Changes,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    if changes.deleted.is_empty() {
        return Ok(());
    }
    let posts: Vec<Uuid> = changes.deleted.iter().copied().collect();
    let statement = query!(
        "/* digest.delete_received_of_posts */
        DELETE FROM digest_received WHERE post_id = ANY($1) RETURNING author, day, likes, replies",
        &posts,
    );
    for lost in named("digest.delete_received_of_posts", statement.fetch_all(db)).await? {
        let day = changes.day(lost.author, lost.day);
        day.likes -= lost.likes;
        day.replies -= lost.replies;
    }
    Ok(())
}

/// Adds net increases. The posts exist, otherwise nobody could have liked them or replied to them.
pub async fn add_received(changes: &mut Changes, db: &mut PgConnection) -> Result<(), ApplyError> {
    let gains = Columns::of(changes, |received| {
        received.likes >= 0 && received.replies >= 0
    });
    if gains.posts.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* digest.add_received */
        INSERT INTO digest_received AS r (post_id, day, author, likes, replies)
        SELECT * FROM unnest($1::uuid[], $2::date[], $3::uuid[], $4::bigint[], $5::bigint[])
        ON CONFLICT (post_id, day) DO UPDATE SET
            likes = r.likes + excluded.likes, replies = r.replies + excluded.replies",
        &gains.posts,
        &gains.days,
        &gains.authors,
        &gains.likes,
        &gains.replies,
    );
    named("digest.add_received", statement.execute(db)).await?;
    for index in 0..gains.posts.len() {
        let day = changes.day(gains.authors[index], gains.days[index]);
        day.likes += gains.likes[index];
        day.replies += gains.replies[index];
    }
    Ok(())
}

/// Subtracts net decreases from existing rows. A post that was deleted in an earlier batch has none: everything that it
/// had received is already subtracted from its author's days.
pub async fn subtract_received(
    changes: &mut Changes,
    db: &mut PgConnection,
) -> Result<(), ApplyError> {
    let losses = Columns::of(changes, |received| {
        received.likes < 0 || received.replies < 0
    });
    if losses.posts.is_empty() {
        return Ok(());
    }
    let statement = query!(
        r#"/* digest.take_received */
        UPDATE digest_received r SET likes = r.likes + d.likes, replies = r.replies + d.replies
        FROM unnest($1::uuid[], $2::date[], $3::bigint[], $4::bigint[]) AS d(post_id, day, likes, replies)
        WHERE r.post_id = d.post_id AND r.day = d.day
        RETURNING r.author, r.day, d.likes AS "likes!", d.replies AS "replies!""#,
        &losses.posts,
        &losses.days,
        &losses.likes,
        &losses.replies,
    );
    for lost in named("digest.take_received", statement.fetch_all(&mut *db)).await? {
        let day = changes.day(lost.author, lost.day);
        day.likes += lost.likes;
        day.replies += lost.replies;
    }
    let statement = query!(
        "/* digest.delete_empty_received */
        DELETE FROM digest_received r USING unnest($1::uuid[], $2::date[]) AS d(post_id, day)
        WHERE r.post_id = d.post_id AND r.day = d.day AND r.likes = 0 AND r.replies = 0",
        &losses.posts,
        &losses.days,
    );
    named("digest.delete_empty_received", statement.execute(db)).await?;
    Ok(())
}

/// Events of several partitions change an account's days, so these are only ever incremented. Rows are locked in the
/// order of their keys, so that two instances do not deadlock.
pub async fn add_days(changes: &Changes, db: &mut PgConnection) -> Result<(), ApplyError> {
    let (keys, days): (Vec<&(Uuid, NaiveDate)>, Vec<&Day>) = changes
        .days
        .iter()
        .filter(|(_, day)| **day != Day::default())
        .unzip();
    if keys.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* digest.add_days */
        INSERT INTO digest_days AS d
            (viewer, day, likes_received, replies_received, new_followers, messages_received, new_connections)
        SELECT * FROM unnest(
            $1::uuid[], $2::date[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]
        )
        ON CONFLICT (viewer, day) DO UPDATE SET
            likes_received = d.likes_received + excluded.likes_received,
            replies_received = d.replies_received + excluded.replies_received,
            new_followers = d.new_followers + excluded.new_followers,
            messages_received = d.messages_received + excluded.messages_received,
            new_connections = d.new_connections + excluded.new_connections",
        &keys.iter().map(|key| key.0).collect::<Vec<_>>(),
        &keys.iter().map(|key| key.1).collect::<Vec<_>>(),
        &days.iter().map(|day| day.likes).collect::<Vec<_>>(),
        &days.iter().map(|day| day.replies).collect::<Vec<_>>(),
        &days.iter().map(|day| day.followers).collect::<Vec<_>>(),
        &days.iter().map(|day| day.messages).collect::<Vec<_>>(),
        &days.iter().map(|day| day.connections).collect::<Vec<_>>(),
    );
    named("digest.add_days", statement.execute(db)).await?;
    Ok(())
}

/// A day whose counters are all zero has no row, so that the same log always gives the same rows.
pub async fn delete_empty_days(changes: &Changes, db: &mut PgConnection) -> Result<(), ApplyError> {
    let decreased = |day: &Day| {
        let Day {
            likes,
            replies,
            followers,
            connections,
            messages,
        } = *day;
        [likes, replies, followers, connections, messages]
            .iter()
            .any(|n| *n < 0)
    };
    let (viewers, days): (Vec<Uuid>, Vec<NaiveDate>) = changes
        .days
        .iter()
        .filter(|(_, day)| decreased(day))
        .map(|(key, _)| *key)
        .unzip();
    if viewers.is_empty() {
        return Ok(());
    }
    let statement = query!(
        "/* digest.delete_empty_days */
        DELETE FROM digest_days d USING unnest($1::uuid[], $2::date[]) AS e(viewer, day)
        WHERE d.viewer = e.viewer AND d.day = e.day AND d.likes_received = 0 AND d.replies_received = 0
            AND d.new_followers = 0 AND d.messages_received = 0 AND d.new_connections = 0",
        &viewers,
        &days,
    );
    named("digest.delete_empty_days", statement.execute(db)).await?;
    Ok(())
}

/// `Changes::received`, as the arrays of a statement.
#[derive(Default)]
struct Columns {
    posts: Vec<Uuid>,
    days: Vec<NaiveDate>,
    authors: Vec<Uuid>,
    likes: Vec<i64>,
    replies: Vec<i64>,
}

impl Columns {
    fn of(changes: &Changes, wanted: impl Fn(&Received) -> bool) -> Self {
        let mut columns = Self::default();
        for ((post, day), received) in changes
            .received
            .iter()
            .filter(|(_, received)| wanted(received))
        {
            columns.posts.push(*post);
            columns.days.push(*day);
            columns.authors.push(received.author);
            columns.likes.push(received.likes);
            columns.replies.push(received.replies);
        }
        columns
    }
}
