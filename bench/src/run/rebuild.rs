//! A rebuild of everything, against copying the same rows by SQL.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sqlx::{AssertSqlSafe, PgPool, SqlSafeStr};

use super::{
    Bench,
    process::output,
    row::{Outcome, median},
    say,
    stack::execute,
};

const SCHEMAS: &str = "'profiles', 'feed', 'digest', 'conversations', 'notifications'";

/// Both write the same tables with the same indexes: primary keys from the beginning, the others at the end, without
/// waiting for the disk at each commit. The rebuild's time is all of it: reading the log, applying it,
/// comparing with the live model, and the exchange.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let events: i64 = sqlx::query_scalar("SELECT sum(head)::int8 FROM write.partitions")
        .fetch_one(&bench.database.pool)
        .await?;
    let (mut ours, mut other) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        bench.database.projected().await?;
        let began = Instant::now();
        let rebuild = bench.stack.ours(
            &bench.database,
            "projector",
            &["rebuild", "--all", "--json"],
        );
        let said = output(rebuild).await?;
        let took = began.elapsed();
        let live = said
            .lines()
            .filter(|line| line.contains("\"live\":"))
            .count();
        ensure!(live == 5, "not everything was rebuilt: {said}");
        ours.push(took);
        let took = copy(&bench.database.pool).await?;
        other.push(took);
        let seconds = |runs: &[Duration]| runs.last().map_or(0.0, Duration::as_secs_f64);
        say(&format!(
            "rebuild {:.1} s, copy {:.1} s",
            seconds(&ours),
            seconds(&other)
        ));
    }
    let middle = |runs: &[Duration]| median(runs.iter().map(Duration::as_secs_f64));
    let shown = |runs: &[Duration]| {
        let seconds = middle(runs);
        format!("{:.0}/s ({seconds:.1} s)", events as f64 / seconds)
    };
    Ok(vec![Outcome {
        key: "rebuild",
        value: middle(&other) / middle(&ours),
        ours: shown(&ours),
        other: shown(&other),
        note: format!("{events} events, five projections"),
        ..Outcome::default()
    }])
}

/// Copies every row of the live read models into tables like theirs.
async fn copy(pool: &PgPool) -> Result<Duration> {
    execute(
        pool,
        "DROP SCHEMA IF EXISTS copied CASCADE; CREATE SCHEMA copied",
    )
    .await?;
    let tables: Vec<(String, String)> = sqlx::query_as(
        AssertSqlSafe(format!(
            "SELECT table_schema::text, table_name::text FROM information_schema.tables
             WHERE table_schema IN ({SCHEMAS}) ORDER BY 1, 2"
        ))
        .into_sql_str(),
    )
    .fetch_all(pool)
    .await?;
    let began = Instant::now();
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
    let took = began.elapsed();
    execute(pool, "DROP SCHEMA copied CASCADE").await?;
    Ok(took)
}

/// The same index on another table, with a name of its own.
fn index_on(definition: &str, table: &str) -> Result<String> {
    let (kind, rest) = definition.split_once(" INDEX ").context("an index")?;
    let (_, how) = rest.split_once(" USING ").context("an index's method")?;
    Ok(format!("{kind} INDEX ON {table} USING {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_moves_to_another_table() {
        let definition =
            "CREATE UNIQUE INDEX posts_pkey ON feed.posts USING btree (id) WHERE (a > 1)";
        assert_eq!(
            index_on(definition, "copied.x").unwrap(),
            "CREATE UNIQUE INDEX ON copied.x USING btree (id) WHERE (a > 1)"
        );
    }
}
