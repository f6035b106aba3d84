//! Loads and saves audience tags and their members.

use chrono::{DateTime, Utc};
use feedmill_service::{Database, sql::named};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{AudienceTag, AudienceTags, Membership};
use crate::domain::clock::time;

pub async fn load(connection: &mut PgConnection, tags: &mut AudienceTags) -> sqlx::Result<()> {
    load_tags(&mut *connection, tags).await?;
    load_members(&mut *connection, tags).await?;
    load_counts(connection, tags).await
}

async fn load_tags(connection: &mut PgConnection, tags: &mut AudienceTags) -> sqlx::Result<()> {
    let ids = tags.rows.take_requested();
    let (owners, names): (Vec<Uuid>, Vec<String>) = tags.names.take_requested().into_iter().unzip();
    if ids.is_empty() && names.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        r#"/* state.tags.load */
         SELECT id AS "id!", owner_id AS "owner_id!", name AS "name!" FROM write.tags WHERE id = ANY($1)
         UNION
         SELECT t.id, t.owner_id, t.name
         FROM unnest($2::uuid[], $3::text[]) AS n(owner_id, name)
         JOIN write.tags t ON t.owner_id = n.owner_id AND t.name = n.name"#,
        &ids,
        &owners,
        &names
    );
    for row in named("state.tags.load", query.fetch_all(connection)).await? {
        let (owner, name) = (row.owner_id, row.name);
        tags.names.load((owner, name.clone()), row.id);
        tags.rows.load(row.id, AudienceTag { owner, name });
    }
    Ok(())
}

async fn load_members(connection: &mut PgConnection, tags: &mut AudienceTags) -> sqlx::Result<()> {
    let memberships = MembershipColumns::from(tags.members.take_requested());
    let pairs = std::mem::take(&mut tags.memberships);
    let (owners, members): (Vec<Uuid>, Vec<Uuid>) = pairs.into_iter().unzip();
    if owners.is_empty() && memberships.tags.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        r#"/* state.tag_members.load */
         SELECT m.owner_id AS "owner_id!", m.member_id AS "member_id!", m.tag_id AS "tag_id!", m.added_at AS "added_at!"
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n(owner_id, member_id, tag_id)
         JOIN write.tag_members m
             ON m.owner_id = n.owner_id AND m.member_id = n.member_id AND m.tag_id = n.tag_id
         JOIN write.tags t ON t.id = m.tag_id
         UNION
         SELECT m.owner_id, m.member_id, m.tag_id, m.added_at
         FROM unnest($4::uuid[], $5::uuid[]) AS n(owner_id, member_id)
         JOIN write.tag_members m ON m.owner_id = n.owner_id AND m.member_id = n.member_id
         JOIN write.tags t ON t.id = m.tag_id"#,
        &memberships.owners,
        &memberships.members,
        &memberships.tags,
        &owners,
        &members
    );
    for row in named("state.tag_members.load", query.fetch_all(connection)).await? {
        let membership = (row.owner_id, row.member_id, row.tag_id);
        tags.load_member(membership, row.added_at.timestamp_millis());
    }
    Ok(())
}

async fn load_counts(connection: &mut PgConnection, tags: &mut AudienceTags) -> sqlx::Result<()> {
    let owners = tags.counts.take_requested();
    let counted = tags.member_counts.take_requested();
    if owners.is_empty() && counted.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        r#"/* state.tags.count */
         SELECT true AS "is_owner!", owner_id AS "id!", count(*) AS "count!"
         FROM write.tags WHERE owner_id = ANY($1) GROUP BY owner_id
         UNION ALL
         SELECT false, tag_id, count(*) FROM write.tag_members WHERE tag_id = ANY($2) GROUP BY tag_id"#,
        &owners,
        &counted
    );
    for row in named("state.tags.count", query.fetch_all(connection)).await? {
        let count = u32::try_from(row.count).unwrap_or(u32::MAX);
        if row.is_owner {
            tags.counts.load(row.id, count);
        } else {
            tags.member_counts.load(row.id, count);
        }
    }
    Ok(())
}

pub async fn save(connection: &mut PgConnection, tags: AudienceTags) -> sqlx::Result<()> {
    let deleted = tags.deleted;
    let changes = tags.rows.into_changes();
    delete_tags(&mut *connection, changes.removed).await?;
    let saved = changes.inserted.into_iter().chain(changes.updated);
    save_tags(&mut *connection, saved.collect()).await?;
    let changes = tags.members.into_changes();
    let stands = |membership: &Membership| !deleted.contains(&membership.2);
    let removed = changes.removed.into_iter().filter(stands);
    delete_members(&mut *connection, removed.collect()).await?;
    let saved = changes.inserted.into_iter().chain(changes.updated);
    let saved = saved.filter(|(membership, _)| stands(membership));
    save_members(&mut *connection, saved.collect()).await?;
    save_deleted(connection, deleted.into_iter().collect()).await
}

async fn save_tags(
    connection: &mut PgConnection,
    tags: Vec<(Uuid, AudienceTag)>,
) -> sqlx::Result<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let (ids, tags): (Vec<Uuid>, Vec<AudienceTag>) = tags.into_iter().unzip();
    let owners: Vec<Uuid> = tags.iter().map(|tag| tag.owner).collect();
    let names: Vec<String> = tags.into_iter().map(|tag| tag.name).collect();
    let query = sqlx::query!(
        "/* state.tags.save */ INSERT INTO write.tags (id, owner_id, name)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[])
         ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        &ids,
        &owners,
        &names
    );
    named("state.tags.save", query.execute(connection)).await?;
    Ok(())
}

async fn delete_tags(connection: &mut PgConnection, ids: Vec<Uuid>) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.tags.delete */ DELETE FROM write.tags WHERE id = ANY($1)",
        &ids
    );
    named("state.tags.delete", query.execute(connection)).await?;
    Ok(())
}

async fn save_members(
    connection: &mut PgConnection,
    members: Vec<(Membership, i64)>,
) -> sqlx::Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let (memberships, times): (Vec<Membership>, Vec<i64>) = members.into_iter().unzip();
    let columns = MembershipColumns::from(memberships);
    let times: Vec<DateTime<Utc>> = times.into_iter().map(time).collect();
    let query = sqlx::query!(
        "/* state.tag_members.save */
         INSERT INTO write.tag_members (owner_id, member_id, tag_id, added_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[])
         ON CONFLICT ON CONSTRAINT tag_members_pkey DO UPDATE SET added_at = excluded.added_at",
        &columns.owners,
        &columns.members,
        &columns.tags,
        &times
    );
    named("state.tag_members.save", query.execute(connection)).await?;
    Ok(())
}

async fn delete_members(
    connection: &mut PgConnection,
    memberships: Vec<Membership>,
) -> sqlx::Result<()> {
    if memberships.is_empty() {
        return Ok(());
    }
    let columns = MembershipColumns::from(memberships);
    let query = sqlx::query!(
        "/* state.tag_members.delete */ DELETE FROM write.tag_members m
         USING unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n(owner_id, member_id, tag_id)
         WHERE m.owner_id = n.owner_id AND m.member_id = n.member_id AND m.tag_id = n.tag_id",
        &columns.owners,
        &columns.members,
        &columns.tags
    );
    named("state.tag_members.delete", query.execute(connection)).await?;
    Ok(())
}

/// The members of deleted tags stay until [`delete_members_of_deleted`]: there may be thousands, and the command does not wait.
async fn save_deleted(connection: &mut PgConnection, tags: Vec<Uuid>) -> sqlx::Result<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.deleted_tags.save */ INSERT INTO write.deleted_tags SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING",
        &tags
    );
    named("state.deleted_tags.save", query.execute(connection)).await?;
    Ok(())
}

/// Deletes up to `max_rows` members of deleted tags. Returns their number.
pub async fn delete_members_of_deleted(database: &Database, max_rows: i64) -> sqlx::Result<u64> {
    let delete = sqlx::query!(
        r#"/* deleted_tags.members.delete */
        WITH members AS (
            DELETE FROM write.tag_members
            WHERE (owner_id, member_id, tag_id) IN (
                SELECT owner_id, member_id, tag_id
                FROM write.tag_members JOIN write.deleted_tags ON id = tag_id
                LIMIT $1
            )
            RETURNING 1
        ), tags AS (
            DELETE FROM write.deleted_tags WHERE (SELECT count(*) FROM members) < $1
        )
        SELECT count(*) AS "count!" FROM members"#,
        max_rows
    );
    let deleted = database.one("deleted_tags.members.delete", delete).await?;
    Ok(deleted.count.unsigned_abs())
}

#[derive(Default)]
struct MembershipColumns {
    owners: Vec<Uuid>,
    members: Vec<Uuid>,
    tags: Vec<Uuid>,
}

impl From<Vec<Membership>> for MembershipColumns {
    fn from(memberships: Vec<Membership>) -> Self {
        let mut columns = Self::default();
        for (owner, member, tag) in memberships {
            columns.owners.push(owner);
            columns.members.push(member);
            columns.tags.push(tag);
        }
        columns
    }
}
