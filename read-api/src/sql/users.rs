//! Users: a profile, and lists of accounts that a user follows, is followed by, or is connected with.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use crate::{
    seek::{Seek, TimeKey},
    user_ref::UserRef,
    views::{AccountSummary, Profile},
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
            counts.followers AS "followers?", counts.following AS "following?", counts.posts AS "posts?",
            counts.connections AS "connections?"
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
        connections_count: row.connections.unwrap_or(0),
        posts_count: row.posts.unwrap_or(0),
    }))
}

/// A page of a list of accounts that belongs to a user.
pub struct ListedAccounts {
    pub user: Uuid,
    /// Each with its time in the list.
    pub listed: Vec<ListedAccount>,
    /// All of the list, also those on other pages.
    pub total: i64,
}

pub struct ListedAccount {
    pub account: AccountSummary,
    pub at: DateTime<Utc>,
}

/// All columns but the first two are NULL in the only row of a user without further accounts.
struct ListedRow {
    user_id: Uuid,
    total: i64,
    id: Option<Uuid>,
    at: Option<DateTime<Utc>>,
    handle: Option<String>,
    display_name: Option<String>,
}

/// The statement of all such lists: the rows of `$table` whose column `$owner` is the user, each with the account in
/// `$listed` and the time in `$at`; and `$total`, a query of the user's `total`. `$visible` is a condition on `person.id`, with
/// the further arguments from `$8` on: without it, the list is nobody's.
macro_rules! accounts {
    (
        $name:tt, $table:tt, $owner:tt, $listed:tt, $at:tt, $total:tt, $visible:tt,
        $user:expr, $seek:expr, $limit:expr $(, $more:expr)*
    ) => {{
        let (after, before) = $seek.latest_first();
        sqlx::query_as!(
            ListedRow,
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
            coalesce(("#
                + $total
                + r#"), 0) AS "total!",
            page.id AS "id?", page.at AS "at?",
            account.handle AS "handle?", account.display_name AS "display_name?"
        FROM person
        LEFT JOIN LATERAL (
            (
                SELECT "#
                + $listed
                + " AS id, "
                + $at
                + " AS at
                FROM "
                + $table
                + "
                WHERE "
                + $owner
                + " = person.id AND ("
                + $at
                + ", "
                + $listed
                + ") < ($3, $4)
                ORDER BY "
                + $at
                + " DESC, "
                + $listed
                + " DESC
                LIMIT $7
            ) UNION ALL (
                SELECT "
                + $listed
                + ", "
                + $at
                + "
                FROM "
                + $table
                + "
                WHERE "
                + $owner
                + " = person.id AND ("
                + $at
                + ", "
                + $listed
                + ") > ($5, $6)
                ORDER BY "
                + $at
                + ", "
                + $listed
                + "
                LIMIT $7
            )
        ) AS page ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = page.id LIMIT 1
        ) AS account ON true
        WHERE "
                + $visible
                + "
        ORDER BY page.at DESC, page.id DESC",
            $user.id(),
            $user.handle(),
            after.0,
            after.1,
            before.0,
            before.1,
            $limit,
            $($more),*
        )
    }};
}

/// The user's followers, latest first, and within one moment the greater id first. None if there is no such user.
pub async fn followers(
    database: &Database,
    user: &UserRef,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<ListedAccounts>> {
    let rows = accounts!(
        "/* user.followers */",
        "follows",
        "followee",
        "follower",
        "followed_at",
        "SELECT followers FROM account_counts WHERE account = person.id",
        "true",
        user,
        seek,
        limit
    );
    let rows = database.all("user.followers", rows).await?;
    Ok(ListedAccounts::of(rows))
}

/// The accounts that the user follows, in the same order. None if there is no such user.
pub async fn following(
    database: &Database,
    user: &UserRef,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<ListedAccounts>> {
    let rows = accounts!(
        "/* user.following */",
        "follows",
        "follower",
        "followee",
        "followed_at",
        "SELECT following FROM account_counts WHERE account = person.id",
        "true",
        user,
        seek,
        limit
    );
    let rows = database.all("user.following", rows).await?;
    Ok(ListedAccounts::of(rows))
}

/// The accounts that the user is connected with, in the same order. None if there is no such user, or if the viewer is neither
/// the user nor connected with the user.
pub async fn connections(
    database: &Database,
    viewer: Uuid,
    user: &UserRef,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<ListedAccounts>> {
    let rows = accounts!(
        "/* user.connections */",
        "connections",
        "account",
        "other",
        "connected_at",
        "SELECT connections FROM account_counts WHERE account = person.id",
        "(person.id = $8 OR EXISTS (SELECT FROM connections WHERE account = person.id AND other = $8))",
        user,
        seek,
        limit,
        viewer
    );
    let rows = database.all("user.connections", rows).await?;
    Ok(ListedAccounts::of(rows))
}

/// The accounts that have asked the user for a connection, in the same order. None if there is no such user.
pub async fn requests_received(
    database: &Database,
    user: &UserRef,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<ListedAccounts>> {
    let rows = accounts!(
        "/* user.requests_received */",
        "connection_requests",
        "recipient",
        "requester",
        "requested_at",
        "SELECT requests_received FROM account_counts WHERE account = person.id",
        "true",
        user,
        seek,
        limit
    );
    let rows = database.all("user.requests_received", rows).await?;
    Ok(ListedAccounts::of(rows))
}

/// The accounts that the user has asked for a connection, in the same order. None if there is no such user.
pub async fn requests_sent(
    database: &Database,
    user: &UserRef,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<ListedAccounts>> {
    let rows = accounts!(
        "/* user.requests_sent */",
        "connection_requests",
        "requester",
        "recipient",
        "requested_at",
        "SELECT requests_sent FROM account_counts WHERE account = person.id",
        "true",
        user,
        seek,
        limit
    );
    let rows = database.all("user.requests_sent", rows).await?;
    Ok(ListedAccounts::of(rows))
}

/// The accounts that the user mutes, in the same order. None if there is no such user.
pub async fn mutes(
    database: &Database,
    user: &UserRef,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<ListedAccounts>> {
    let rows = accounts!(
        "/* user.mutes */",
        "mutes",
        "muter",
        "muted",
        "muted_at",
        "SELECT count(*) FROM mutes WHERE muter = person.id",
        "true",
        user,
        seek,
        limit
    );
    let rows = database.all("user.mutes", rows).await?;
    Ok(ListedAccounts::of(rows))
}

impl ListedAccounts {
    pub fn empty(user: Uuid) -> Self {
        Self {
            user,
            listed: Vec::new(),
            total: 0,
        }
    }

    fn of(rows: Vec<ListedRow>) -> Option<Self> {
        let first = rows.first()?;
        let (user, total) = (first.user_id, first.total);
        let listed = rows.into_iter().filter_map(|row| {
            Some(ListedAccount {
                account: AccountSummary::from_columns(row.id?, row.handle, row.display_name),
                at: row.at?,
            })
        });
        Some(Self {
            user,
            listed: listed.collect(),
            total,
        })
    }
}
