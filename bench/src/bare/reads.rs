//! The statements of read-api for a page of the feed, in a loop of bare sqlx.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use feedmill_events::Projection;
use feedmill_service::sql;
use sqlx::{
    AssertSqlSafe, Column, PgConnection, PgPool, Postgres, Row, SqlSafeStr, TypeInfo,
    postgres::{PgArguments, PgPoolOptions, PgRow},
    query::Query,
};
use uuid::Uuid;

use super::tasks::join_all;
use crate::{
    statement,
    summary::{Recorder, Summary},
};

/// The statements and their connections.
#[derive(Clone, Copy)]
pub struct Reads<'a> {
    pub url: &'a str,
    /// The name of the statement that lists the posts of the page.
    pub statement: &'a str,
    /// Whether each task keeps its connection.
    pub keep_connection: bool,
}

/// The limit for a page of 20: the last row tells whether there is a next page.
const ROWS: i64 = 21;
/// Two further arguments of the statement for cached posts: the maximum number of liked posts, and whether to read the
/// viewer's followees, which are cached too.
const MAX_LIKED: i64 = 1_000;
const WITH_FOLLOWEES: bool = false;

/// Runs as many tasks as connections, on a pool with sqlx's defaults, or each with its own connection. There is no HTTP
/// and no JSON; rows are fetched and all values are decoded. The statement's text and the session's settings are
/// read-api's.
pub async fn reads(
    how: Reads<'_>,
    connections: u32,
    viewers: &[Uuid],
    warm_up: f64,
    seconds: f64,
) -> Result<Summary> {
    let text = statement::text(how.statement)?;
    let options = sql::options(how.url, "bench", Some(&search_path()))?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections);
    let pool = pool.connect_with(options).await?;
    let from = Instant::now() + Duration::from_secs_f64(warm_up);
    let until = from + Duration::from_secs_f64(seconds);
    let mut tasks = Vec::new();
    for task in 0..connections as usize {
        let (pool, text) = (pool.clone(), text.clone());
        let mut kept = if how.keep_connection {
            Some(pool.acquire().await?)
        } else {
            None
        };
        let viewers = viewers.to_vec();
        tasks.push(tokio::spawn(async move {
            let mut recorder = Recorder::default();
            let mut index = task * viewers.len() / connections as usize;
            loop {
                let start = Instant::now();
                if start >= until {
                    return Ok(recorder);
                }
                let viewer = viewers[index % viewers.len()];
                let mut page = sqlx::query(AssertSqlSafe(text.as_str()).into_sql_str())
                    .bind(viewer)
                    .bind(Uuid::max())
                    .bind(ROWS);
                if text.contains("$5") {
                    page = page.bind(MAX_LIKED).bind(WITH_FOLLOWEES);
                }
                fetch(page, &pool, kept.as_deref_mut()).await?;
                if start >= from {
                    recorder.latency(start.elapsed());
                }
                index += 1;
            }
        }));
    }
    join_all(tasks, Duration::from_secs_f64(seconds)).await
}

/// Fetches and decodes all rows.
async fn fetch(
    statement: Query<'_, Postgres, PgArguments>,
    pool: &PgPool,
    kept: Option<&mut PgConnection>,
) -> Result<()> {
    let rows = match kept {
        Some(connection) => statement.fetch_all(connection).await?,
        None => statement.fetch_all(pool).await?,
    };
    rows.iter().try_for_each(decode)
}

/// The search path of read-api.
fn search_path() -> String {
    let schemas = Projection::ALL.map(Projection::name);
    format!("{}, projector", schemas.join(", "))
}

/// Decodes every value to the type that read-api uses.
fn decode(row: &PgRow) -> Result<()> {
    use std::hint::black_box;
    for (index, column) in row.columns().iter().enumerate() {
        match column.type_info().name() {
            "UUID" => drop(black_box(row.try_get::<Option<Uuid>, _>(index)?)),
            "UUID[]" => drop(black_box(row.try_get::<Option<Vec<Uuid>>, _>(index)?)),
            "TEXT" => drop(black_box(row.try_get::<Option<String>, _>(index)?)),
            "INT2" => drop(black_box(row.try_get::<Option<i16>, _>(index)?)),
            "INT8" => drop(black_box(row.try_get::<Option<i64>, _>(index)?)),
            "BOOL" => drop(black_box(row.try_get::<Option<bool>, _>(index)?)),
            "TIMESTAMPTZ" => drop(black_box(row.try_get::<Option<DateTime<Utc>>, _>(index)?)),
            other => bail!("unexpected column type {other}"),
        }
    }
    Ok(())
}
