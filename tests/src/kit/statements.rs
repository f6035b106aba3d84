//! Statements that the server has executed, counted by the extension pg_stat_statements.

use sqlx::PgPool;

use super::Role;

/// Starts counting the statements of this database. Creates the extension where it is missing; panics if the server
/// does not load it.
pub async fn reset_statement_counts(pool: &PgPool) {
    sqlx::query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")
        .execute(pool)
        .await
        .expect("pg_stat_statements: the test PostgreSQL needs it in shared_preload_libraries");
    let reset = "SELECT public.pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()";
    sqlx::query(reset)
        .execute(pool)
        .await
        .expect("a reset of the counts");
}

/// The named statements of a service since the last reset: how often, and the text. Without read-api's periodic look
/// at the checkpoints.
pub async fn statement_counts(pool: &PgPool, role: Role) -> Vec<(i64, String)> {
    sqlx::query_as(
        "SELECT calls, query FROM public.pg_stat_statements
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND userid = $1::regrole
           AND query LIKE '/* %' AND query NOT LIKE '/* checkpoint.%'",
    )
    .bind(role.name())
    .fetch_all(pool)
    .await
    .expect("the counts of pg_stat_statements")
}
