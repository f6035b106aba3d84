//! The schemas that exist beside a live one during and after a rebuild.

use feedmill_service::sql::named;
use sqlx::{AssertSqlSafe, PgConnection, query, query_scalar, raw_sql};

use crate::{projection::Definition, schema::CONTROL_SCHEMA};

/// The schema of the generation that a rebuild fills.
pub fn next(projection: &Definition) -> String {
    format!("{}_next", projection.name())
}

/// The schema of the generation before the live one.
pub fn previous(projection: &Definition) -> String {
    format!("{}_previous", projection.name())
}

/// The schema that a verification fills and drops.
pub fn verify(projection: &Definition) -> String {
    format!("{}_verify", projection.name())
}

pub async fn exists(schema: &str, db: &mut PgConnection) -> sqlx::Result<bool> {
    let statement = query_scalar!(
        r#"/* rebuild.exists */ SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS "found!""#,
        schema,
    );
    named("rebuild.exists", statement.fetch_one(db)).await
}

/// Drops a schema, if it exists, and the record of its migrations.
pub async fn drop_schema(schema: &str, db: &mut PgConnection) -> sqlx::Result<()> {
    run(format!("DROP SCHEMA IF EXISTS {schema} CASCADE"), db).await?;
    let statement = query!(
        "/* rebuild.unlaid */ DELETE FROM laid_migrations WHERE schema = $1",
        schema
    );
    named("rebuild.unlaid", statement.execute(db)).await?;
    Ok(())
}

/// Renames a schema in the catalog and in the record of migrations.
pub async fn rename_schema(from: &str, to: &str, db: &mut PgConnection) -> sqlx::Result<()> {
    run(format!("ALTER SCHEMA {from} RENAME TO {to}"), db).await?;
    let statement = query!(
        "/* rebuild.rename_laid */ UPDATE laid_migrations SET schema = $2 WHERE schema = $1",
        from,
        to,
    );
    named("rebuild.rename_laid", statement.execute(db))
        .await
        .map(drop)
}

/// Makes this connection use the tables of a schema.
pub async fn set_search_path(schema: &str, db: &mut PgConnection) -> sqlx::Result<()> {
    run(format!("SET search_path = {schema}, {CONTROL_SCHEMA}"), db).await
}

/// Allows plans that read whole tables, for the rest of the transaction.
pub async fn allow_table_scans(db: &mut PgConnection) -> sqlx::Result<()> {
    let sql = "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on;
        SET LOCAL plan_cache_mode = force_custom_plan";
    run(sql.to_owned(), db).await
}

/// For statements that cannot have parameters. They contain only names from this crate's source, and names from the
/// catalog that PostgreSQL has quoted.
pub async fn run(sql: String, db: &mut PgConnection) -> sqlx::Result<()> {
    raw_sql(AssertSqlSafe(sql)).execute(db).await.map(drop)
}
