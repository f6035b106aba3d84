//! How a viewer and other accounts are related.

use feedmill_service::Database;
use uuid::Uuid;

use crate::views::{ConnectionState, Relationship};

/// The relationships of the viewer with those of the accounts that exist for the viewer, in their order.
pub async fn of(
    database: &Database,
    viewer: Uuid,
    accounts: &[Uuid],
) -> sqlx::Result<Vec<Relationship>> {
    let rows = sqlx::query!(
        r#"/* relationships.read */
        SELECT
            asked.id AS "id!",
            EXISTS (SELECT FROM follows WHERE followee = asked.id AND follower = $1) AS "following!",
            EXISTS (SELECT FROM follows WHERE followee = $1 AND follower = asked.id) AS "followed_by!",
            EXISTS (SELECT FROM connections WHERE account = $1 AND other = asked.id) AS "connected!",
            EXISTS (SELECT FROM connection_requests WHERE recipient = asked.id AND requester = $1) AS "outgoing!",
            EXISTS (SELECT FROM connection_requests WHERE recipient = $1 AND requester = asked.id) AS "incoming!",
            EXISTS (SELECT FROM mutes WHERE muted = asked.id AND muter = $1) AS "muting!",
            EXISTS (SELECT FROM blocks WHERE blocked = asked.id AND blocker = $1) AS "blocking!"
        FROM unnest($2::uuid[]) WITH ORDINALITY AS asked (id, place)
        WHERE EXISTS (SELECT FROM accounts WHERE id = asked.id) AND (
            (SELECT true FROM blocked_pairs WHERE account = asked.id AND other = $1) IS NULL
            OR EXISTS (SELECT FROM blocks WHERE blocked = asked.id AND blocker = $1)
        )
        ORDER BY asked.place"#,
        viewer,
        accounts,
    );
    let rows = database.all("relationships.read", rows).await?;
    let relationships = rows.into_iter().map(|row| Relationship {
        id: row.id,
        following: row.following,
        followed_by: row.followed_by,
        connection: match (row.connected, row.outgoing, row.incoming) {
            (true, ..) => ConnectionState::Connected,
            (false, true, _) => ConnectionState::Outgoing,
            (false, false, true) => ConnectionState::Incoming,
            (false, false, false) => ConnectionState::None,
        },
        blocking: row.blocking,
        muting: row.muting,
    });
    Ok(relationships.collect())
}
