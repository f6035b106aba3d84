//! People: a profile, followers and followed.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use crate::{
    user_ref::UserRef,
    view::{Card, Follow, Profile},
};

/// Where a list of follows goes on: latest first, and of one moment the greater id first.
pub type FollowKey = (DateTime<Utc>, Uuid);

/// None if there is no such person.
///
/// For the moment in which a handle passes from one account to another, two may have it here; the younger
/// account then answers to it.
pub async fn profile(database: &Database, user: &UserRef) -> sqlx::Result<Option<Profile>> {
    let row = sqlx::query!(
        r#"/* user.profile */
        WITH person AS (
            SELECT * FROM accounts WHERE id = $1
            UNION ALL SELECT * FROM accounts WHERE handle = $2
            ORDER BY id DESC
            LIMIT 1
        )
        SELECT
            person.id AS "id!", person.handle AS "handle!", person.display_name AS "display_name!",
            person.bio AS "bio!", person.created_at AS "created_at!",
            counts.followers AS "followers?", counts.following AS "following?", counts.posts AS "posts?"
        FROM person
        LEFT JOIN LATERAL (SELECT * FROM account_counts WHERE account = person.id LIMIT 1) AS counts ON true"#,
        user.id(),
        user.handle(),
    );
    let row = database.optional("user.profile", row).await?;
    Ok(row.map(|row| Profile {
        card: Card {
            id: row.id,
            handle: row.handle,
            display_name: row.display_name,
        },
        bio: row.bio,
        created_at: row.created_at,
        followers_count: row.followers.unwrap_or(0),
        following_count: row.following.unwrap_or(0),
        posts_count: row.posts.unwrap_or(0),
    }))
}

/// The columns but the first may be NULL together: the person exists, and has none.
struct FollowRow {
    person: Uuid,
    id: Option<Uuid>,
    followed_at: Option<DateTime<Utc>>,
    handle: Option<String>,
    display_name: Option<String>,
}

/// The person's id, and who follows them, from below `before`. None if there is no such person.
pub async fn followers(
    database: &Database,
    user: &UserRef,
    before: Option<FollowKey>,
    limit: i64,
) -> sqlx::Result<Option<(Uuid, Vec<Follow>)>> {
    let (at, id) = before.unwrap_or((DateTime::UNIX_EPOCH + FAR, Uuid::max()));
    let rows = sqlx::query_as!(
        FollowRow,
        r#"/* user.followers */
        WITH person AS (
            SELECT id FROM accounts WHERE id = $1
            UNION ALL SELECT id FROM accounts WHERE handle = $2
            ORDER BY id DESC
            LIMIT 1
        )
        SELECT
            person.id AS "person!", page.follower AS "id?", page.followed_at AS "followed_at?",
            account.handle AS "handle?", account.display_name AS "display_name?"
        FROM person
        LEFT JOIN LATERAL (
            SELECT follower, followed_at
            FROM follows
            WHERE followee = person.id AND (followed_at, follower) < ($3, $4)
            ORDER BY followed_at DESC, follower DESC
            LIMIT $5
        ) AS page ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = page.follower LIMIT 1
        ) AS account ON true
        ORDER BY page.followed_at DESC, page.follower DESC"#,
        user.id(),
        user.handle(),
        at,
        id,
        limit,
    );
    let rows = database.all("user.followers", rows).await?;
    Ok(found(rows))
}

/// The person's id, and whom they follow, from below `before`. None if there is no such person.
pub async fn following(
    database: &Database,
    user: &UserRef,
    before: Option<FollowKey>,
    limit: i64,
) -> sqlx::Result<Option<(Uuid, Vec<Follow>)>> {
    let (at, id) = before.unwrap_or((DateTime::UNIX_EPOCH + FAR, Uuid::max()));
    let rows = sqlx::query_as!(
        FollowRow,
        r#"/* user.following */
        WITH person AS (
            SELECT id FROM accounts WHERE id = $1
            UNION ALL SELECT id FROM accounts WHERE handle = $2
            ORDER BY id DESC
            LIMIT 1
        )
        SELECT
            person.id AS "person!", page.followee AS "id?", page.followed_at AS "followed_at?",
            account.handle AS "handle?", account.display_name AS "display_name?"
        FROM person
        LEFT JOIN LATERAL (
            SELECT followee, followed_at
            FROM follows
            WHERE follower = person.id AND (followed_at, followee) < ($3, $4)
            ORDER BY followed_at DESC, followee DESC
            LIMIT $5
        ) AS page ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = page.followee LIMIT 1
        ) AS account ON true
        ORDER BY page.followed_at DESC, page.followee DESC"#,
        user.id(),
        user.handle(),
        at,
        id,
        limit,
    );
    let rows = database.all("user.following", rows).await?;
    Ok(found(rows))
}

/// Some 8,000 years: after every follow.
const FAR: chrono::TimeDelta = chrono::TimeDelta::days(3_000_000);

fn found(rows: Vec<FollowRow>) -> Option<(Uuid, Vec<Follow>)> {
    let person = rows.first()?.person;
    Some((
        person,
        rows.into_iter().filter_map(FollowRow::view).collect(),
    ))
}

impl FollowRow {
    fn view(self) -> Option<Follow> {
        Some(Follow {
            card: Card {
                id: self.id?,
                handle: self.handle.unwrap_or_default(),
                display_name: self.display_name.unwrap_or_default(),
            },
            followed_at: self.followed_at?,
        })
    }
}
