//! Users: a profile, followers and followed accounts.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use crate::{
    seek::{Seek, TimeKey},
    user_ref::UserRef,
    views::{AccountSummary, Follow, Profile},
};

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

/// A page of a user's followers, or of the accounts that the user follows.
pub struct ListedFollows {
    pub user: Uuid,
    pub listed: Vec<Follow>,
    /// All of the list, also those on other pages.
    pub total: i64,
}

/// All columns but the first two are NULL in the only row of a user without further follows.
struct FollowRow {
    user_id: Uuid,
    total: i64,
    id: Option<Uuid>,
    followed_at: Option<DateTime<Utc>>,
    handle: Option<String>,
    display_name: Option<String>,
}

/// The statement of both lists: the follows whose column `$owner` is the user, each with the account in `$listed`, and
/// the column `$total` of the user's counts.
macro_rules! follows {
    ($name:tt, $owner:tt, $listed:tt, $total:tt, $user:expr, $seek:expr, $limit:expr) => {{
        let (after, before) = $seek.latest_first();
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
            person.id AS "user_id!",
            coalesce((SELECT "#
                + $total
                + r#" FROM account_counts WHERE account = person.id), 0) AS "total!",
            page.id AS "id?", page.followed_at AS "followed_at?",
            account.handle AS "handle?", account.display_name AS "display_name?"
        FROM person
        LEFT JOIN LATERAL (
            (
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
                LIMIT $7
            ) UNION ALL (
                SELECT "
                + $listed
                + ", followed_at
                FROM follows
                WHERE "
                + $owner
                + " = person.id AND (followed_at, "
                + $listed
                + ") > ($5, $6)
                ORDER BY followed_at, "
                + $listed
                + "
                LIMIT $7
            )
        ) AS page ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = page.id LIMIT 1
        ) AS account ON true
        ORDER BY page.followed_at DESC, page.id DESC",
            $user.id(),
            $user.handle(),
            after.0,
            after.1,
            before.0,
            before.1,
            $limit,
        )
    }};
}

/// The user's followers, latest first, and within one moment the greater id first. None if there is no such user.
pub async fn followers(
    database: &Database,
    user: &UserRef,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<ListedFollows>> {
    let rows = follows!(
        "/* user.followers */",
        "followee",
        "follower",
        "followers",
        user,
        seek,
        limit
    );
    let rows = database.all("user.followers", rows).await?;
    Ok(ListedFollows::of(rows))
}

/// The accounts that the user follows, in the same order. None if there is no such user.
pub async fn following(
    database: &Database,
    user: &UserRef,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<ListedFollows>> {
    let rows = follows!(
        "/* user.following */",
        "follower",
        "followee",
        "following",
        user,
        seek,
        limit
    );
    let rows = database.all("user.following", rows).await?;
    Ok(ListedFollows::of(rows))
}

impl ListedFollows {
    pub fn empty(user: Uuid) -> Self {
        Self {
            user,
            listed: Vec::new(),
            total: 0,
        }
    }

    fn of(rows: Vec<FollowRow>) -> Option<Self> {
        let first = rows.first()?;
        let (user, total) = (first.user_id, first.total);
        let listed = rows.into_iter().filter_map(|row| {
            Some(Follow {
                account: AccountSummary::from_columns(row.id?, row.handle, row.display_name),
                followed_at: row.followed_at?,
            })
        });
        Some(Self {
            user,
            listed: listed.collect(),
            total,
        })
    }
}
