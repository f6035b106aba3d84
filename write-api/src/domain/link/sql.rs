//! Saves links.

use chrono::{DateTime, Utc};
use feedmill_service::sql::named;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Links, kind::LinkKey};
use crate::domain::clock::time;

pub async fn save(connection: &mut PgConnection, links: Links) -> sqlx::Result<()> {
    let deleted_targets = links.deleted_targets;
    let changes = links.rows.into_changes();
    let target_exists = |key: &LinkKey| !deleted_targets.contains(&key.target);
    let added: Vec<(LinkKey, i64)> = changes
        .inserted
        .into_iter()
        .chain(changes.updated)
        .filter(|(key, _)| target_exists(key))
        .collect();
    let removed: Vec<LinkKey> = changes.removed.into_iter().filter(target_exists).collect();
    let deleted_targets: Vec<Uuid> = deleted_targets.iter().copied().collect();
    insert(&mut *connection, &added).await?;
    delete(&mut *connection, &removed).await?;
    delete_targets(connection, &deleted_targets).await
}

/// A link that was removed and added again within the batch has a new time.
async fn insert(connection: &mut PgConnection, links: &[(LinkKey, i64)]) -> sqlx::Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let columns: LinkColumns = links.iter().map(|(key, _)| *key).collect();
    let since: Vec<DateTime<Utc>> = links.iter().map(|(_, since)| time(*since)).collect();
    let query = sqlx::query!(
        "/* state.links.insert */ INSERT INTO write.links (target_id, kind, account_id, since)
         SELECT * FROM unnest($1::uuid[], $2::int2[], $3::uuid[], $4::timestamptz[])
         ON CONFLICT ON CONSTRAINT links_pkey DO UPDATE SET since = excluded.since",
        &columns.targets,
        &columns.kinds,
        &columns.accounts,
        &since
    );
    named("state.links.insert", query.execute(connection)).await?;
    Ok(())
}

async fn delete(connection: &mut PgConnection, links: &[LinkKey]) -> sqlx::Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let columns: LinkColumns = links.iter().copied().collect();
    let query = sqlx::query!(
        "/* state.links.delete */ DELETE FROM write.links l
         USING unnest($1::uuid[], $2::int2[], $3::uuid[]) AS n(target_id, kind, account_id)
         WHERE l.target_id = n.target_id AND l.kind = n.kind AND l.account_id = n.account_id",
        &columns.targets,
        &columns.kinds,
        &columns.accounts
    );
    named("state.links.delete", query.execute(connection)).await?;
    Ok(())
}

/// All kinds at once: the primary key begins with the target.
async fn delete_targets(connection: &mut PgConnection, targets: &[Uuid]) -> sqlx::Result<()> {
    if targets.is_empty() {
        return Ok(());
    }
    let query = sqlx::query!(
        "/* state.links.delete_targets */ DELETE FROM write.links WHERE target_id = ANY($1)",
        targets
    );
    named("state.links.delete_targets", query.execute(connection)).await?;
    Ok(())
}

/// The key of each link, in columns.
#[derive(Default)]
pub struct LinkColumns {
    pub targets: Vec<Uuid>,
    pub kinds: Vec<i16>,
    pub accounts: Vec<Uuid>,
}

impl FromIterator<LinkKey> for LinkColumns {
    fn from_iter<I: IntoIterator<Item = LinkKey>>(keys: I) -> Self {
        let mut columns = Self::default();
        for LinkKey {
            target,
            kind,
            account,
        } in keys
        {
            columns.targets.push(target);
            columns.kinds.push(kind.into());
            columns.accounts.push(account);
        }
        columns
    }
}
