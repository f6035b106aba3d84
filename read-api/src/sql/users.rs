//! Users: a profile, followers and followed accounts.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use crate::{
    user_ref::UserRef,
    views::{AccountSummary, Follow, Profile},
};

/// The key of a list of follows: latest first, and within one moment the greater id first.
pub type FollowKey = (DateTime<Utc>, Uuid);

/// The account with this id, or else the one with this handle. None if there is neither.
///
/// When a handle passes from one account to another, both may have it here for a moment; then the younger account is
/// returned.
pub async fn profile(
    database: &Database,
    id: Option<Uuid>,
    handle: Option<&str>,
) -> sqlx::Result<Option<Profile>> {
    let row = sqlx::query!(
        r#"/* user.profile */
        WITH account AS (
            SELECT *, true AS has_id FROM accounts WHERE id = $1
            UNION ALL SELECT *, false FROM accounts WHERE handle = $2
            ORDER BY has_id DESC, id DESC
            LIMIT 1
        )
        SELECT
            account.id AS "id!", account.handle AS "handle!", account.display_name AS "display_name!",
            account.bio AS "bio!", account.created_at AS "created_at!",
            counts.followers AS "followers?", counts.following AS "following?", counts.posts AS "posts?"
        FROM account
        LEFT JOIN LATERAL (SELECT * FROM account_counts WHERE account = account.id LIMIT 1) AS counts ON true"#,
        id,
        handle,
    );
    let row = database.optional("user.profile", row).await?;
    Ok(row.map(|row| Profile {
        account: AccountSummary {
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

/// A list of follows. All columns but the first are NULL in the only row of a user without further follows.
struct FollowRow {
    user_id: Uuid,
    id: Option<Uuid>,
    followed_at: Option<DateTime<Utc>>,
    handle: Option<String>,
    display_name: Option<String>,
}

/// The statement of both lists: the follows whose column `$owner` is the user, each with the account in `$listed`.
macro_rules! follows {
    ($name:tt, $owner:tt, $listed:tt, $user:expr, $before:expr, $limit:expr) => {
        sqlx::query_as!(
            FollowRow,
            $name
                + r#"
        WITH person AS (
            SELECT id FROM accounts WHERE id = $1
            UNION ALL SELECT id FROM accounts WHERE handle = $2
            ORDER BY id DESC
            LIMIT 1
        )
        SELECT
            person.id AS "user_id!", page.id AS "id?", page.followed_at AS "followed_at?",
            account.handle AS "handle?", account.display_name AS "display_name?"
        FROM person
        LEFT JOIN LATERAL (
            SELECT "#
                + $listed
                + " AS id, followed_at
            FROM follows
            WHERE "
                + $owner
                + " = person.id AND (followed_at, "
                + $listed
                + ") < ($3, $4)
            ORDER BY followed_at DESC, "
                + $listed
                + " DESC
            LIMIT $5
        ) AS page ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = page.id LIMIT 1
        ) AS account ON true
        ORDER BY page.followed_at DESC, page.id DESC",
            $user.id(),
            $user.handle(),
            $before.0,
            $before.1,
            $limit,
        )
    };
}

/// The user's id, and the user's followers before `before`, latest first. None if there is no such user.
pub async fn followers(
    database: &Database,
    user: &UserRef,
    before: Option<FollowKey>,
    limit: i64,
) -> sqlx::Result<Option<(Uuid, Vec<Follow>)>> {
    let before = before.unwrap_or(END);
    let rows = follows!(
        "/* user.followers */",
        "followee",
        "follower",
        user,
        before,
        limit
    );
    let rows = database.all("user.followers", rows).await?;
    Ok(user_and_follows(rows))
}

/// The user's id, and the accounts that the user follows before `before`, latest first. None if there is no such user.
pub async fn following(
    database: &Database,
    user: &UserRef,
    before: Option<FollowKey>,
    limit: i64,
) -> sqlx::Result<Option<(Uuid, Vec<Follow>)>> {
    let before = before.unwrap_or(END);
    let rows = follows!(
        "/* user.following */",
        "follower",
        "followee",
        user,
        before,
        limit
    );
    let rows = database.all("user.following", rows).await?;
    Ok(user_and_follows(rows))
}

/// After every follow: the year 10183, within PostgreSQL's range.
const END: FollowKey = (
    DateTime::from_timestamp(3_000_000 * 24 * 60 * 60, 0).expect("in chrono's range"),
    Uuid::max(),
);

fn user_and_follows(rows: Vec<FollowRow>) -> Option<(Uuid, Vec<Follow>)> {
    let user = rows.first()?.user_id;
    let follows = rows.into_iter().filter_map(|row| {
        Some(Follow {
            account: AccountSummary::from_columns(row.id?, row.handle, row.display_name),
            followed_at: row.followed_at?,
        })
    });
    Some((user, follows.collect()))
}
