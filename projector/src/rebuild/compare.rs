//! The live tables and those aside, at the same position of the log.

use std::{cmp::Ordering, collections::BTreeMap};

use futures::{StreamExt as _, future, stream::BoxStream};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{
    aside::{self, Aside, Table},
    books,
    session::{Session, plan_for_much, run, turn_to},
    show::Show,
};
use crate::projection::Definition;

/// As many rows of a table are shown.
const ROWS: usize = 10;

/// How a partition of a table differs, or a table.
#[derive(Debug)]
pub struct Difference {
    pub table: String,
    /// None if it is about the whole table.
    pub partition: Option<i16>,
    pub text: String,
    /// The first rows that differ: what is live, and what the log says.
    pub rows: Vec<(Option<Value>, Option<Value>)>,
}

/// Brings what is aside to exactly the position of the live model in a snapshot, and compares with that.
pub async fn compare(
    session: &mut Session,
    aside: &mut Aside,
    show: &mut Show,
) -> anyhow::Result<Vec<Difference>> {
    let projection = session.projection;
    let mut live = session.another().await?;
    turn_to(projection.name(), &mut live).await?;
    run(
        "SET idle_in_transaction_session_timeout = '1h'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
        &mut live,
    )
    .await?;
    plan_for_much(&mut live).await?;
    let (_, position) = books::live(projection, &mut live).await?;
    aside.follow_to(&position, session, show).await?;
    anyhow::ensure!(
        aside.done == position,
        "what is aside is ahead of the live model"
    );
    show.step(projection, "comparing");
    let at_once = !session.source.is_busy().await?;
    let mut tx = session.db.begin().await?;
    plan_for_much(&mut tx).await?;
    let differences = tables(projection, aside, at_once, &mut live, &mut tx).await?;
    tx.rollback().await?;
    live.close().await?;
    Ok(differences)
}

async fn tables(
    projection: &Definition,
    aside: &Aside,
    at_once: bool,
    live: &mut PgConnection,
    new: &mut PgConnection,
) -> sqlx::Result<Vec<Difference>> {
    let derived = projection.rebuild.derived.as_ref();
    let is_derived = |table: &Table| {
        derived.is_some_and(|derived| derived.tables.contains(&table.name.as_str()))
    };
    let mut left = aside::tables(projection.name(), live).await?;
    let mut right = aside::tables(&aside.schema, new).await?;
    for tables in [&mut left, &mut right] {
        tables.retain(|table| !is_derived(table));
        for table in tables {
            table.names.retain(|name| {
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
            None => differences.push(whole(table, "is new")),
            Some(other) if other != table => {
                let text = format!(
                    "has other columns: {} instead of {}",
                    table.columns, other.columns
                );
                differences.push(whole(table, &text));
            }
            Some(_) => {
                let sides = [projection.name(), &aside.schema];
                differences.extend(rows(table, sides, at_once, live, new).await?);
            }
        }
    }
    for table in &left {
        if !right.iter().any(|other| other.name == table.name) {
            differences.push(whole(table, "is no more"));
        }
    }
    if let Some(derived) = derived {
        let limit = ROWS as i64;
        let (live, new) = both(
            at_once,
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

/// Together, or one after the other.
async fn both<T>(
    at_once: bool,
    one: impl Future<Output = sqlx::Result<T>>,
    other: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<(T, T)> {
    if at_once {
        future::try_join(one, other).await
    } else {
        Ok((one.await?, other.await?))
    }
}

/// The rows with the columns that are compared, in parentheses.
fn compared(schema: &str, table: &Table) -> String {
    format!(
        "(SELECT {} FROM {schema}.{})",
        table.names.join(", "),
        table.name
    )
}

/// By partition: how many rows, and the sum of their hashes, which does not depend on their order.
type Sums = BTreeMap<i16, (i64, String)>;

async fn sums(schema: &str, table: &Table, db: &mut PgConnection) -> sqlx::Result<Sums> {
    let sql = format!(
        "/* rebuild.sums */
        SELECT {}, count(*), sum(hash_record_extended(t, 0))::text FROM {} t GROUP BY 1",
        table.partition,
        compared(schema, table),
    );
    let rows: Vec<(i16, i64, String)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await?;
    Ok(rows
        .into_iter()
        .map(|(partition, count, hash)| (partition, (count, hash)))
        .collect())
}

async fn rows(
    table: &Table,
    [left, right]: [&str; 2],
    at_once: bool,
    live: &mut PgConnection,
    new: &mut PgConnection,
) -> sqlx::Result<Vec<Difference>> {
    let (mut old, mut now) =
        both(at_once, sums(left, table, live), sums(right, table, new)).await?;
    let mut differences = vec![];
    let mut wanted = ROWS;
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
        if wanted > 0 {
            let old = contents(left, table, partition, live);
            let now = contents(right, table, partition, new);
            difference.rows = merge(old, now, wanted).await?;
            wanted -= difference.rows.len();
        }
        differences.push(difference);
    }
    Ok(differences)
}

/// Key and row.
type Row = (String, Value);

/// The rows of a partition, by their keys as texts.
fn contents<'a>(
    schema: &str,
    table: &Table,
    partition: i16,
    db: &'a mut PgConnection,
) -> BoxStream<'a, sqlx::Result<Row>> {
    let sql = format!(
        "/* rebuild.contents */
        SELECT ROW({})::text COLLATE \"C\", to_jsonb(t) FROM {} t WHERE {} = {partition} ORDER BY 1",
        table.key,
        compared(schema, table),
        table.partition,
    );
    sqlx::query_as(AssertSqlSafe(sql)).fetch(db)
}

/// The first rows that are on one side only, or not the same.
async fn merge(
    mut old: BoxStream<'_, sqlx::Result<Row>>,
    mut now: BoxStream<'_, sqlx::Result<Row>>,
    limit: usize,
) -> sqlx::Result<Vec<(Option<Value>, Option<Value>)>> {
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
            differing.push((one, two));
        }
    }
    // What was not fetched is read to its end, or the connection could not be used again.
    while old.next().await.transpose()?.is_some() {}
    while now.next().await.transpose()?.is_some() {}
    Ok(differing)
}
