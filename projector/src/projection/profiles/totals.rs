//! The numbers of accounts and of their connections, by partition.

use std::collections::BTreeMap;

use feedmill_service::sql::named;
use sqlx::{PgConnection, query};

use super::fold::Changes;
use crate::{error::ApplyError, projection::totals::by_partition};

/// Accounts are never deleted, and only accounts have connections. So no row becomes empty, and the same log always gives the same
/// rows.
pub async fn add(changes: &Changes<'_>, db: &mut PgConnection) -> Result<(), ApplyError> {
    let created = changes.accounts.iter();
    let created = created.filter(|(_, account)| account.created_at.is_some());
    let accounts = by_partition(created.map(|(id, _)| *id), std::iter::empty());
    let connections = &changes.connections;
    let connections = by_partition(
        connections.started().map(|(account, _)| account),
        connections.stopped().map(|(account, _)| account),
    );
    let mut totals: BTreeMap<i16, (i64, i64)> = BTreeMap::new();
    for (partition, change) in accounts {
        totals.entry(partition).or_default().0 = change;
    }
    for (partition, change) in connections {
        totals.entry(partition).or_default().1 = change;
    }
    if totals.is_empty() {
        return Ok(());
    }
    let (partitions, changes): (Vec<i16>, Vec<(i64, i64)>) = totals.into_iter().unzip();
    let (accounts, connections): (Vec<i64>, Vec<i64>) = changes.into_iter().unzip();
    let statement = query!(
        "/* profiles.add_totals */
        INSERT INTO account_totals AS t (partition, accounts, connections)
        SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[])
        ON CONFLICT (partition) DO UPDATE SET
            accounts = t.accounts + excluded.accounts, connections = t.connections + excluded.connections",
        &partitions,
        &accounts,
        &connections,
    );
    named("profiles.add_totals", statement.execute(db)).await?;
    Ok(())
}
