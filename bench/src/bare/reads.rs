//! A statement of read-api's for a page of the feed, in a bare loop.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use feedmill_service::sql;
use sqlx::{
    AssertSqlSafe, Column, Row, SqlSafeStr, TypeInfo,
    postgres::{PgPoolOptions, PgRow},
};
use uuid::Uuid;

use super::together;
use crate::{
    statement,
    summary::{Seen, Summary},
};

/// What is asked, and how.
#[derive(Clone, Copy)]
pub struct Reads<'a> {
    pub url: &'a str,
    pub statement: &'a str,
    /// Whether each task keeps its connection.
    pub keep: bool,
}

/// As read-api sets it.
const SEARCH_PATH: &str = "profiles, feed, digest, conversations, notifications, projector";
/// As read-api asks for a page of 20: the last one says whether there is more.
const ROWS: i64 = 21;
/// And these two only where posts are kept: of how many posts likes are looked for, and whether it is to be told whom the
/// viewer follows, which is kept too.
const MOST_LIKED: i64 = 1_000;
const WITH_FOLLOWED: bool = false;

/// As many tasks as connections, on one pool with sqlx's defaults, or each with a connection that it keeps: no HTTP, no
/// JSON. Rows are fetched and every value in them is decoded. The statement is read-api's own text, and the session
/// has read-api's own settings.
pub async fn reads(
    how: Reads<'_>,
    connections: u32,
    viewers: &[Uuid],
    warm_up: f64,
    seconds: f64,
) -> Result<Summary> {
    let text = statement::text(how.statement)?;
    let options = sql::options(how.url, "bench", Some(SEARCH_PATH))?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections);
    let pool = pool.connect_with(options).await?;
    let begun = Instant::now();
    let from = begun + Duration::from_secs_f64(warm_up);
    let until = from + Duration::from_secs_f64(seconds);
    let mut tasks = Vec::new();
    for task in 0..connections as usize {
        let (pool, text) = (pool.clone(), text.clone());
        let mut kept = if how.keep {
            Some(pool.acquire().await?)
        } else {
            None
        };
        let viewers = viewers.to_vec();
        tasks.push(tokio::spawn(async move {
            let mut seen = Seen::default();
            let mut index = task * viewers.len() / connections as usize;
            loop {
                let start = Instant::now();
                if start >= until {
                    return Ok(seen);
                }
                let mut statement = sqlx::query(AssertSqlSafe(text.as_str()).into_sql_str())
                    .bind(viewers[index % viewers.len()])
                    .bind(Uuid::max())
                    .bind(ROWS);
                if text.contains("$5") {
                    statement = statement.bind(MOST_LIKED).bind(WITH_FOLLOWED);
                }
                let rows = match &mut kept {
                    Some(connection) => statement.fetch_all(&mut **connection).await?,
                    None => statement.fetch_all(&pool).await?,
                };
                for row in &rows {
                    decode(row)?;
                }
                if start >= from {
                    seen.took(start.elapsed());
                }
                index += 1;
            }
        }));
    }
    together(tasks, Duration::from_secs_f64(seconds)).await
}

/// Every value, as the type that read-api has it in.
fn decode(row: &PgRow) -> Result<()> {
    use std::hint::black_box;
    for (index, column) in row.columns().iter().enumerate() {
        match column.type_info().name() {
            "UUID" => drop(black_box(row.try_get::<Option<Uuid>, _>(index)?)),
            "UUID[]" => drop(black_box(row.try_get::<Option<Vec<Uuid>>, _>(index)?)),
            "TEXT" => drop(black_box(row.try_get::<Option<String>, _>(index)?)),
            "INT8" => drop(black_box(row.try_get::<Option<i64>, _>(index)?)),
            "BOOL" => drop(black_box(row.try_get::<Option<bool>, _>(index)?)),
            "TIMESTAMPTZ" => drop(black_box(row.try_get::<Option<DateTime<Utc>>, _>(index)?)),
            other => bail!("a column of type {other}"),
        }
    }
    Ok(())
}
