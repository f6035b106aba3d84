//! Lists of accounts that belong to something: the followers of a user, the members of a tag, who likes a post.

use chrono::{DateTime, Utc};
use feedmill_service::Database;
use uuid::Uuid;

use crate::{
    seek::{Seek, TimeKey},
    user_ref::UserRef,
    views::AccountSummary,
};

/// A page of such a list.
pub struct AccountList {
    /// The user, tag or post that it belongs to.
    pub owner: Uuid,
    pub listed: Vec<ListedAccount>,
    /// All of the list, also those on other pages.
    pub total: i64,
}

pub struct ListedAccount {
    pub account: AccountSummary,
    /// When it came into the list.
    pub at: DateTime<Utc>,
}

impl AccountList {
    pub fn empty(owner: Uuid) -> Self {
        Self {
            owner,
            listed: Vec::new(),
            total: 0,
        }
    }

    fn of(rows: Vec<ListedRow>) -> Option<Self> {
        let first = rows.first()?;
        let (owner, total) = (first.owner_id, first.total);
        let listed = rows.into_iter().filter_map(|row| {
            Some(ListedAccount {
                account: AccountSummary::from_columns(row.id?, row.handle, row.display_name),
                at: row.at?,
            })
        });
        Some(Self {
            owner,
            listed: listed.collect(),
            total,
        })
    }
}

/// All columns but the first two are NULL in the only row of a list without further accounts.
struct ListedRow {
    owner_id: Uuid,
    total: i64,
    id: Option<Uuid>,
    at: Option<DateTime<Utc>>,
    handle: Option<String>,
    display_name: Option<String>,
}

/// A page of a list, latest first, and within one moment the greater id first. None without an owner.
///
/// - The statement's name, and the comment that it begins with.
/// - `owner`: the query of the owner's `id` and the list's `total`. `$6` is the viewer, its arguments are `$7` and following ones.
/// - `list`: the table, with the columns of the owner, the listed account and the time.
/// - `filter`: "", or a condition for the rows of the list after an AND.
macro_rules! accounts {
    (
        $database:expr, $name:literal, $comment:tt,
        owner: $query:tt $(+ $more:tt)*,
        list: $table:tt ($owner:tt, $listed:tt, $at:tt),
        filter: $filter:tt,
        $seek:expr, $limit:expr, $($argument:expr),+ $(,)?
    ) => {{
        let (after, before) = $seek.latest_first();
        let rows = sqlx::query_as!(
            ListedRow,
            $comment
                + " WITH owner AS MATERIALIZED ("
                + $query
                $(+ $more)*
                + r#"
        )
        SELECT
            owner.id AS "owner_id!", owner.total AS "total!", page.id AS "id?", page.at AS "at?",
            account.handle AS "handle?", account.display_name AS "display_name?"
        FROM owner
        LEFT JOIN LATERAL (
            (
                SELECT "#
                + $listed + " AS id, " + $at + " AS at FROM " + $table
                + " WHERE " + $owner + " = owner.id AND (" + $at + ", " + $listed + ") < ($1, $2) " + $filter + "
                ORDER BY " + $at + " DESC, " + $listed + " DESC
                LIMIT $5
            ) UNION ALL (
                SELECT " + $listed + ", " + $at + " FROM " + $table
                + " WHERE " + $owner + " = owner.id AND (" + $at + ", " + $listed + ") > ($3, $4) " + $filter + "
                ORDER BY " + $at + ", " + $listed + "
                LIMIT $5
            )
        ) AS page ON true
        LEFT JOIN LATERAL (
            SELECT handle, display_name FROM accounts WHERE id = page.id LIMIT 1
        ) AS account ON true
        ORDER BY page.at DESC, page.id DESC",
            after.0,
            after.1,
            before.0,
            before.1,
            $limit,
            $($argument),+
        );
        Ok(AccountList::of($database.all($name, rows).await?))
    }};
}

/// The lists of a user: of each the name, the comment, the table with its columns, and the query of `total`.
macro_rules! lists_of_users {
    ($(
        $(#[$doc:meta])*
        $function:ident = $name:literal $comment:tt, $table:tt $columns:tt $filter:tt, $total:tt;
    )+) => {
        $(
            $(#[$doc])*
            ///
            /// None if there is no such user for the viewer.
            pub async fn $function(
                database: &Database,
                viewer: Uuid,
                user: &UserRef,
                seek: Seek<TimeKey>,
                limit: i64,
            ) -> sqlx::Result<Option<AccountList>> {
                accounts!(
                    database,
                    $name,
                    $comment,
                    owner: "
            SELECT person.id, coalesce((" + $total + "), 0) AS total
            FROM (
                SELECT id FROM accounts WHERE id = $7
                UNION ALL SELECT id FROM accounts WHERE handle = $8
                ORDER BY id DESC
                LIMIT 1
            ) AS person
            WHERE (SELECT true FROM blocked_pairs WHERE account = person.id AND other = $6) IS NULL",
                    list: $table $columns,
                    filter: $filter,
                    seek,
                    limit,
                    viewer,
                    user.id(),
                    user.handle(),
                )
            }
        )+
    };
}

lists_of_users! {
    /// The user's followers.
    followers = "user.followers" "/* user.followers */",
    "follows" ("followee", "follower", "followed_at")
    "AND (SELECT true FROM blocked_pairs WHERE account = follower AND other = $6) IS NULL",
    "SELECT followers FROM account_counts WHERE account = person.id";

    /// The accounts that the user follows.
    following = "user.following" "/* user.following */",
    "follows" ("follower", "followee", "followed_at")
    "AND (SELECT true FROM blocked_pairs WHERE account = followee AND other = $6) IS NULL",
    "SELECT following FROM account_counts WHERE account = person.id";

    /// The accounts that have asked the user for a connection. For the user only.
    requests_received = "user.requests_received" "/* user.requests_received */",
    "connection_requests" ("recipient", "requester", "requested_at") "",
    "SELECT requests_received FROM account_counts WHERE account = person.id";

    /// The accounts that the user has asked for a connection. For the user only.
    requests_sent = "user.requests_sent" "/* user.requests_sent */",
    "connection_requests" ("requester", "recipient", "requested_at") "",
    "SELECT requests_sent FROM account_counts WHERE account = person.id";

    /// The accounts that the user mutes. For the user only.
    mutes = "user.mutes" "/* user.mutes */",
    "mutes" ("muter", "muted", "muted_at") "",
    "SELECT count(*) FROM mutes WHERE muter = person.id";

    /// The accounts that the user blocks. For the user only.
    blocks = "user.blocks" "/* user.blocks */",
    "blocks" ("blocker", "blocked", "blocked_at") "",
    "SELECT count(*) FROM blocks WHERE blocker = person.id";
}

/// The accounts that the user is connected with.
///
/// None if there is no such user, or if the viewer is neither the user nor connected with the user.
pub async fn connections(
    database: &Database,
    viewer: Uuid,
    user: &UserRef,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<AccountList>> {
    accounts!(
        database,
        "user.connections",
        "/* user.connections */",
        owner: "
            SELECT person.id, coalesce(
                (SELECT connections FROM account_counts WHERE account = person.id), 0
            ) AS total
            FROM (
                SELECT id FROM accounts WHERE id = $7
                UNION ALL SELECT id FROM accounts WHERE handle = $8
                ORDER BY id DESC
                LIMIT 1
            ) AS person
            WHERE person.id = $6 OR (SELECT true FROM connections WHERE account = person.id AND other = $6)",
        list: "connections" ("account", "other", "connected_at"),
        filter: "AND (SELECT true FROM blocked_pairs WHERE blocked_pairs.account = connections.other AND blocked_pairs.other = $6) IS NULL",
        seek,
        limit,
        viewer,
        user.id(),
        user.handle(),
    )
}

/// The members of a tag. None unless the tag is the viewer's.
pub async fn tag_members(
    database: &Database,
    viewer: Uuid,
    tag: Uuid,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<AccountList>> {
    accounts!(
        database,
        "tag.members",
        "/* tag.members */",
        owner: "
            SELECT id, members AS total FROM tags WHERE id = $7 AND owner = $6",
        list: "tag_members" ("tag", "member", "added_at"),
        filter: "",
        seek,
        limit,
        viewer,
        tag,
    )
}

/// Who likes the post. None if the viewer does not see it.
pub async fn likes_of_post(
    database: &Database,
    viewer: Uuid,
    post: Uuid,
    seek: Seek<TimeKey>,
    limit: i64,
) -> sqlx::Result<Option<AccountList>> {
    accounts!(
        database,
        "like.of_post",
        "/* like.of_post */",
        owner: "
            SELECT id, like_count AS total
            FROM posts
            CROSS JOIN LATERAL visible($6, author, root, root_author) AS is_visible
            WHERE id = $7",
        list: "likes" ("post_id", "user_id", "liked_at"),
        filter: "AND (SELECT true FROM blocked_pairs WHERE account = user_id AND other = $6) IS NULL",
        seek,
        limit,
        viewer,
        post,
    )
}
