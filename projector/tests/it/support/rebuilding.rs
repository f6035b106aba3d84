//! Rebuilds in the test's process or its own, and the content of schemas.

use feedmill_service::NatsArgs;
use projector::{
    projection::{Context, Definition},
    rebuild::{self, Outcome, Settings, output::Output},
};
use sqlx::AssertSqlSafe;

use super::database::Database;

pub fn settings(database: &Database, context: &Context) -> Settings {
    Settings {
        url: database.url.clone(),
        nats: NatsArgs::at("nats://127.0.0.1:1"),
        context: context.clone(),
        max_live_lag: 1_000,
        with_skipped: false,
        by: "somebody".to_owned(),
    }
}

pub async fn rebuild(
    database: &Database,
    projection: &'static Definition,
    context: &Context,
    accept_differences: bool,
) -> anyhow::Result<Outcome> {
    let settings = settings(database, context);
    rebuild::rebuild(
        projection,
        &settings,
        accept_differences,
        &mut Output::new(true),
    )
    .await
}

pub async fn verify(
    database: &Database,
    projection: &'static Definition,
    context: &Context,
) -> anyhow::Result<Outcome> {
    rebuild::verify(
        projection,
        &settings(database, context),
        &mut Output::new(true),
    )
    .await
}

/// The tables of a schema with their rows, ordered.
pub async fn contents(database: &Database, schema: &str) -> Vec<(String, Vec<String>)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = $1 ORDER BY 1",
    )
    .bind(schema)
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert!(!tables.is_empty(), "no schema {schema}");
    let mut all = vec![];
    for table in tables {
        let sql = format!("SELECT t::text FROM {schema}.{table} t ORDER BY t::text COLLATE \"C\"");
        let rows = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&database.pool)
            .await
            .unwrap();
        all.push((table, rows));
    }
    all
}

/// The definitions of the indexes of a schema, without its name.
pub async fn indexes(database: &Database, schema: &str) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT replace(indexdef, schemaname || '.', '') FROM pg_indexes WHERE schemaname = $1 ORDER BY 1",
    )
    .bind(schema)
    .fetch_all(&database.pool)
    .await
    .unwrap()
}

pub async fn generation(database: &Database, projection: &Definition) -> i32 {
    sqlx::query_scalar("SELECT generation FROM projector.projections WHERE name = $1")
        .bind(projection.name())
        .fetch_one(&database.pool)
        .await
        .unwrap()
}

/// The schemas that rebuilds have created and that are not live.
pub async fn shadow_schemas(database: &Database) -> Vec<String> {
    sqlx::query_scalar(
        r"SELECT nspname::text FROM pg_namespace WHERE nspname ~ '_(next|previous|verify)$' ORDER BY 1",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap()
}
