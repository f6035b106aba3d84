//! Compares the live tables with those of a shadow, at the same position of the log.

use std::{cmp::Ordering, collections::BTreeMap};

use futures::{StreamExt as _, future, stream::BoxStream};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{
    control,
    output::Output,
    progress::{Difference, DifferingRow},
    schemas::{allow_table_scans, run, set_search_path},
    session::Session,
    shadow::Shadow,
    tables::{self, Table},
};
use crate::projection::Definition;

/// The number of differing rows that are reported per table.
const MAX_ROWS: usize = 10;

/// Brings the shadow to exactly the position of the live model in a snapshot, and compares it with that snapshot.
pub async fn compare(
    session: &mut Session,
    shadow: &mut Shadow,
    output: &mut Output,
) -> anyhow::Result<Vec<Difference>> {
    let projection = session.projection;
    let mut live = session.connect().await?;
    set_search_path(projection.name(), &mut live).await?;
    run(
        "SET idle_in_transaction_session_timeout = '1h'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
        &mut live,
    )
    .await?;
    allow_table_scans(&mut live).await?;
    let (_, position) = control::live(projection, &mut live).await?;
    shadow.follow_to(&position, session, output).await?;
    anyhow::ensure!(
        shadow.applied == position,
        "the shadow is ahead of the live model"
    );
    output.step(projection, "comparing");
    let parallel = !session.source.is_busy().await?;
    let mut tx = session.db.begin().await?;
    allow_table_scans(&mut tx).await?;
    let differences = compare_tables(projection, shadow, parallel, &mut live, &mut tx).await?;
    tx.rollback().await?;
    live.close().await?;
    Ok(differences)
}

async fn compare_tables(
    projection: &Definition,
    shadow: &Shadow,
    parallel: bool,
    live: &mut PgConnection,
    new: &mut PgConnection,
) -> sqlx::Result<Vec<Difference>> {
    let derived = projection.rebuild.derived.as_ref();
    let is_derived = |table: &Table| {
        derived.is_some_and(|derived| derived.tables.contains(&table.name.as_str()))
    };
    let mut left = tables::tables(projection.name(), live).await?;
    let mut right = tables::tables(&shadow.schema, new).await?;
    for tables in [&mut left, &mut right] {
        tables.retain(|table| !is_derived(table));
        for table in tables {
            table.column_names.retain(|name| {
                !derived.is_some_and(|derived| derived.columns.contains(&name.as_str()))
            });
        }
    }
    let whole = |table: &Table, text: &str| Difference {
        table: table.name.clone(),
        partition: None,
        text: text.to_owned(),
        rows: vec![],
    };
    let mut differences = vec![];
    for table in &right {
        match left.iter().find(|other| other.name == table.name) {
            None => differences.push(whole(table, "does not exist in the live model")),
            Some(other) if other != table => {
                let text = format!(
                    "has other columns: {} instead of {}",
                    table.columns, other.columns
                );
                differences.push(whole(table, &text));
            }
            Some(_) => {
                let sides = [projection.name(), &shadow.schema];
                differences.extend(compare_rows(table, sides, parallel, live, new).await?);
            }
        }
    }
    for table in &left {
        if !right.iter().any(|other| other.name == table.name) {
            differences.push(whole(table, "exists only in the live model"));
        }
    }
    if let Some(derived) = derived {
        let limit = MAX_ROWS as i64;
        let (live, new) = both(
            parallel,
            (derived.check)(limit, live),
            (derived.check)(limit, new),
        )
        .await?;
        for (side, lines) in [("live", live), ("rebuilt", new)] {
            differences.extend(lines.into_iter().map(|line| Difference {
                table: derived.tables[0].to_owned(),
                partition: None,
                text: format!("{side}: {line}"),
                rows: vec![],
            }));
        }
    }
    Ok(differences)
}

/// Awaits both in parallel or one after the other.
async fn both<T>(
    parallel: bool,
    first: impl Future<Output = sqlx::Result<T>>,
    second: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<(T, T)> {
    if parallel {
        future::try_join(first, second).await
    } else {
        Ok((first.await?, second.await?))
    }
}

/// A subquery for the compared columns of a table.
fn compared_columns(schema: &str, table: &Table) -> String {
    format!(
        "(SELECT {} FROM {schema}.{})",
        table.column_names.join(", "),
        table.name
    )
}

/// By partition: the number of rows and the sum of their hashes, which does not depend on their order.
type Checksums = BTreeMap<i16, (i64, String)>;

async fn checksums(schema: &str, table: &Table, db: &mut PgConnection) -> sqlx::Result<Checksums> {
    let sql = format!(
        "/* rebuild.sums */
        SELECT {}, count(*), sum(hash_record_extended(t, 0))::text FROM {} t GROUP BY 1",
        table.partition,
        compared_columns(schema, table),
    );
    let rows: Vec<(i16, i64, String)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await?;
    Ok(rows
        .into_iter()
        .map(|(partition, count, hash)| (partition, (count, hash)))
        .collect())
}

/// Compares checksums of partitions first, and rows only where these differ.
async fn compare_rows(
    table: &Table,
    [left, right]: [&str; 2],
    parallel: bool,
    live: &mut PgConnection,
    new: &mut PgConnection,
) -> sqlx::Result<Vec<Difference>> {
    let (mut old, mut now) = both(
        parallel,
        checksums(left, table, live),
        checksums(right, table, new),
    )
    .await?;
    let mut differences = vec![];
    let mut limit = MAX_ROWS;
    for partition in 0..64 {
        let (old, now) = (old.remove(&partition), now.remove(&partition));
        if old == now {
            continue;
        }
        let count = |side: &Option<(i64, String)>| side.as_ref().map_or(0, |side| side.0);
        let mut difference = Difference {
            table: table.name.clone(),
            partition: Some(partition),
            text: format!("{} rows live, {} by the log", count(&old), count(&now)),
            rows: vec![],
        };
        if limit > 0 {
            let old = contents(left, table, partition, live);
            let now = contents(right, table, partition, new);
            difference.rows = merge(old, now, limit).await?;
            limit -= difference.rows.len();
        }
        differences.push(difference);
    }
    Ok(differences)
}

/// The key, as text, and the row.
type KeyedRow = (String, Value);

/// The rows of a partition, ordered by their keys as text.
fn contents<'a>(
    schema: &str,
    table: &Table,
    partition: i16,
    db: &'a mut PgConnection,
) -> BoxStream<'a, sqlx::Result<KeyedRow>> {
    let sql = format!(
        "/* rebuild.contents */
        SELECT ROW({})::text COLLATE \"C\", to_jsonb(t) FROM {} t WHERE {} = {partition} ORDER BY 1",
        table.key,
        compared_columns(schema, table),
        table.partition,
    );
    sqlx::query_as(AssertSqlSafe(sql)).fetch(db)
}

/// The first rows that exist on one side only or differ.
async fn merge(
    mut old: BoxStream<'_, sqlx::Result<KeyedRow>>,
    mut now: BoxStream<'_, sqlx::Result<KeyedRow>>,
    limit: usize,
) -> sqlx::Result<Vec<DifferingRow>> {
    let mut differing = vec![];
    let mut left = old.next().await.transpose()?;
    let mut right = now.next().await.transpose()?;
    while differing.len() < limit {
        let order = match (&left, &right) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let one = (order != Ordering::Greater).then(|| left.take()).flatten();
        let two = (order != Ordering::Less).then(|| right.take()).flatten();
        let (one, two) = (one.map(|row| row.1), two.map(|row| row.1));
        if order != Ordering::Greater {
            left = old.next().await.transpose()?;
        }
        if order != Ordering::Less {
            right = now.next().await.transpose()?;
        }
        if one != two {
            differing.push(DifferingRow {
                live: one,
                log: two,
            });
        }
    }
    // The streams must be read to their ends before the connections can be used again.
    while old.next().await.transpose()?.is_some() {}
    while now.next().await.transpose()?.is_some() {}
    Ok(differing)
}
