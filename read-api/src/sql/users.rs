//! The profiles of users.

use feedmill_service::Database;
use uuid::Uuid;

use crate::views::{AccountSummary, Profile};

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
