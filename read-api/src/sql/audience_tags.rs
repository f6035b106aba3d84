//! The viewer's audience tags.

use feedmill_service::Database;
use uuid::Uuid;

use crate::{seek::Seek, user_ref::UserRef, views::AudienceTag};

/// The viewer's tags, in ascending order of ids.
pub async fn page(
    database: &Database,
    viewer: Uuid,
    seek: Seek<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<AudienceTag>> {
    let (after, before) = seek.ascending();
    let rows = sqlx::query_as!(
        AudienceTag,
        r#"/* tags.page */
        SELECT id AS "id!", name AS "name!", members AS "members_count!"
        FROM (
            (SELECT id, name, members FROM tags WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $4)
            UNION ALL
            (SELECT id, name, members FROM tags WHERE owner = $1 AND id < $3 ORDER BY id DESC LIMIT $4)
        ) AS page
        ORDER BY id"#,
        viewer,
        after,
        before,
        limit,
    );
    database.all("tags.page", rows).await
}

/// None unless the tag is the viewer's.
pub async fn one(
    database: &Database,
    viewer: Uuid,
    tag: Uuid,
) -> sqlx::Result<Option<AudienceTag>> {
    let row = sqlx::query_as!(
        AudienceTag,
        r#"/* tags.one */ SELECT id, name, members AS members_count FROM tags WHERE id = $1 AND owner = $2"#,
        tag,
        viewer,
    );
    database.optional("tags.one", row).await
}

/// The viewer's tags that have this user, in ascending order of ids. None if there is no such user for the viewer.
pub async fn of_user(
    database: &Database,
    viewer: Uuid,
    user: &UserRef,
    seek: Seek<Uuid>,
    limit: i64,
) -> sqlx::Result<Option<(Uuid, Vec<AudienceTag>)>> {
    let (after, before) = seek.ascending();
    let rows = sqlx::query!(
        r#"/* tags.of_user */
        WITH named AS (
            SELECT id FROM accounts WHERE id = $2
            UNION ALL SELECT id FROM accounts WHERE handle = $3
            ORDER BY id DESC
            LIMIT 1
        ), person AS (
            SELECT id FROM named
            WHERE (SELECT true FROM blocked_pairs WHERE account = named.id AND other = $1) IS NULL
        )
        SELECT person.id AS "user_id!", page.id AS "id?", page.name AS "name?", page.members AS "members?"
        FROM person
        LEFT JOIN LATERAL (
            (
                SELECT id, name, members
                FROM tags
                WHERE owner = $1 AND id > $4
                    AND (SELECT true FROM tag_members WHERE tag = tags.id AND member = person.id)
                ORDER BY id
                LIMIT $6
            ) UNION ALL (
                SELECT id, name, members
                FROM tags
                WHERE owner = $1 AND id < $5
                    AND (SELECT true FROM tag_members WHERE tag = tags.id AND member = person.id)
                ORDER BY id DESC
                LIMIT $6
            )
        ) AS page ON true
        ORDER BY page.id"#,
        viewer,
        user.id(),
        user.handle(),
        after,
        before,
        limit,
    );
    let rows = database.all("tags.of_user", rows).await?;
    let user = rows.first().map(|row| row.user_id);
    let tags = rows.into_iter().filter_map(|row| {
        Some(AudienceTag {
            id: row.id?,
            name: row.name?,
            members_count: row.members?,
        })
    });
    Ok(user.map(|user| (user, tags.collect())))
}
