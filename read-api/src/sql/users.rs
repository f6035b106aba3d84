//! The profiles of users.

use feedmill_service::Database;
use uuid::Uuid;

use crate::views::{AccountSummary, DefaultAudience, OwnProfile, Profile, Settings, WhoMayMessage};

/// The account with this id, or else the one with this handle. None if there is neither, or if it blocks the viewer: the two must look
/// the same. Of an account that the viewer blocks, it is only the name. The settings are for the account itself only.
///
/// When a handle passes from one account to another, both may have it here for a moment; then the younger account is
/// returned.
pub async fn profile(
    database: &Database,
    viewer: Uuid,
    id: Option<Uuid>,
    handle: Option<&str>,
) -> sqlx::Result<Option<OwnProfile>> {
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
            counts.followers AS "followers?", counts.following AS "following?", counts.connections AS "connections?",
            (SELECT posts FROM post_counts WHERE author = account.id) AS posts,
            block.is_own AS "is_blocked!", settings.default_audience AS "default_audience?",
            settings.who_may_message AS "who_may_message?"
        FROM account
        CROSS JOIN LATERAL (
            SELECT
                EXISTS (SELECT FROM blocked_pairs WHERE account = account.id AND other = $3) AS stands,
                EXISTS (SELECT FROM blocks WHERE blocked = account.id AND blocker = $3) AS is_own
        ) AS block
        LEFT JOIN LATERAL (SELECT * FROM account_counts WHERE account = account.id LIMIT 1) AS counts ON true
        LEFT JOIN LATERAL (SELECT * FROM account_settings WHERE account = account.id LIMIT 1) AS settings ON true
        WHERE NOT block.stands OR block.is_own"#,
        id,
        handle,
        viewer,
    );
    let row = database.optional("user.profile", row).await?;
    Ok(row.map(|row| {
        let shown = |count: Option<i64>| count.filter(|_| !row.is_blocked).unwrap_or(0);
        let profile = Profile {
            account: AccountSummary {
                id: row.id,
                handle: row.handle,
                display_name: row.display_name,
            },
            bio: if row.is_blocked {
                String::new()
            } else {
                row.bio
            },
            created_at: row.created_at,
            followers_count: shown(row.followers),
            following_count: shown(row.following),
            connections_count: shown(row.connections),
            posts_count: shown(row.posts),
        };
        let settings = row.default_audience.zip(row.who_may_message);
        let settings = settings.map(|(audience, who_may_message)| Settings {
            default_audience: match audience {
                0 => DefaultAudience::Public,
                1 => DefaultAudience::Connections,
                _ => DefaultAudience::Me,
            },
            who_may_message: match who_may_message {
                0 => WhoMayMessage::Everyone,
                _ => WhoMayMessage::Connections,
            },
        });
        OwnProfile {
            profile,
            settings: settings.unwrap_or_default(),
        }
    }))
}
