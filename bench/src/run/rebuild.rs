//! A rebuild of all read models, compared with copying the same rows in SQL.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use feedmill_events::Projection;
use sqlx::{AssertSqlSafe, PgPool, SqlSafeStr};

use super::{
    context::{Bench, progress},
    database::{Database, execute},
    process::output,
    row::{Outcome, median},
};

/// The schemas of the read models, as a list in SQL.
fn schemas() -> String {
    let quoted = Projection::ALL.map(|projection| format!("'{projection}'"));
    quoted.join(", ")
}

/// Both write the same tables with the same indexes: primary keys from the start, the others at the end, with
/// `synchronous_commit` off. The rebuild's time includes everything: reading the log, applying it, comparing with the
/// live model, and the cutover.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    Ok(vec![measure_in(bench, &bench.database, "rebuild").await?])
}

/// The same for any database. `key` is the row.
pub async fn measure_in(bench: &Bench, database: &Database, key: &'static str) -> Result<Outcome> {
    let events: i64 = sqlx::query_scalar("SELECT sum(head)::int8 FROM write.partitions")
        .fetch_one(&database.pool)
        .await?;
    let (mut ours, mut other) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        database.projected().await?;
        let started = Instant::now();
        let rebuild = bench
            .stack
            .command(database, "projector", &["rebuild", "--all", "--json"]);
        let printed = output(rebuild).await?;
        let duration = started.elapsed();
        let live = printed
            .lines()
            .filter(|line| line.contains("\"live\":"))
            .count();
        ensure!(
            live == Projection::ALL.len(),
            "some projections were not rebuilt: {printed}"
        );
        ours.push(duration);
        other.push(copy(&database.pool).await?);
        let seconds = |runs: &[Duration]| runs.last().map_or(0.0, Duration::as_secs_f64);
        progress(&format!(
            "rebuild {:.1} s, copy {:.1} s",
            seconds(&ours),
            seconds(&other)
        ));
    }
    let median_of = |runs: &[Duration]| median(runs.iter().map(Duration::as_secs_f64));
    let rate = |runs: &[Duration]| {
        let seconds = median_of(runs);
        format!("{:.0}/s ({seconds:.1} s)", events as f64 / seconds)
    };
    Ok(Outcome {
        key,
        value: median_of(&other) / median_of(&ours),
        ours: rate(&ours),
        other: rate(&other),
        note: format!("{events} events, {} projections", Projection::ALL.len()),
        ..Outcome::default()
    })
}

/// Copies all rows of the live read models into equal tables.
async fn copy(pool: &PgPool) -> Result<Duration> {
    execute(
        pool,
        "DROP SCHEMA IF EXISTS copied CASCADE; CREATE SCHEMA copied",
    )
    .await?;
    let tables: Vec<(String, String)> = sqlx::query_as(
        AssertSqlSafe(format!(
            "SELECT table_schema::text, table_name::text FROM information_schema.tables
             WHERE table_schema IN ({}) ORDER BY 1, 2",
            schemas()
        ))
        .into_sql_str(),
    )
    .fetch_all(pool)
    .await?;
    let started = Instant::now();
    for (schema, table) in &tables {
        let copied = format!("copied.{schema}_{table}");
        let mut statements = vec![
            "BEGIN; SET LOCAL synchronous_commit = off".to_owned(),
            format!(
                "CREATE TABLE {copied} (LIKE {schema}.{table} INCLUDING ALL EXCLUDING INDEXES)"
            ),
        ];
        let indexes: Vec<(bool, String)> = sqlx::query_as(
            "SELECT i.indisprimary, pg_get_indexdef(i.indexrelid) FROM pg_index AS i
             WHERE i.indrelid = ($1 || '.' || $2)::regclass ORDER BY 1 DESC",
        )
        .bind(schema)
        .bind(table)
        .fetch_all(pool)
        .await?;
        let mut inserted = false;
        for (primary, definition) in &indexes {
            if !primary && !inserted {
                statements.push(format!(
                    "INSERT INTO {copied} SELECT * FROM {schema}.{table}"
                ));
                inserted = true;
            }
            statements.push(index_on(definition, &copied)?);
        }
        if !inserted {
            statements.push(format!(
                "INSERT INTO {copied} SELECT * FROM {schema}.{table}"
            ));
        }
        statements.push("COMMIT".to_owned());
        execute(pool, &statements.join("; ")).await?;
    }
    let duration = started.elapsed();
    execute(pool, "DROP SCHEMA copied CASCADE").await?;
    Ok(duration)
}

/// The definition of the same index on another table, without a name.
fn index_on(definition: &str, table: &str) -> Result<String> {
    let (kind, rest) = definition
        .split_once(" INDEX ")
        .context("unexpected index definition")?;
    let (_, how) = rest
        .split_once(" USING ")
        .context("unexpected index definition")?;
    Ok(format!("{kind} INDEX ON {table} USING {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_definition_is_adapted_to_another_table() {
        let definition =
            "CREATE UNIQUE INDEX posts_pkey ON feed.posts USING btree (id) WHERE (a > 1)";
        assert_eq!(
            index_on(definition, "copied.x").unwrap(),
            "CREATE UNIQUE INDEX ON copied.x USING btree (id) WHERE (a > 1)"
        );
    }
}
