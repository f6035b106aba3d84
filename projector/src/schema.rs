//! Creates the schemas of the read models and grants access to them.

use feedmill_service::sql::named;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, query, query_scalar, raw_sql};

use crate::{
    migrations::{self, Migration},
    projection::Definition,
};

/// The control schema: generations, checkpoints, blocked partitions, instances, pauses, rebuilds and the audit log.
pub const CONTROL_SCHEMA: &str = "projector";

/// The key of the advisory lock held while schemas are created, so that instances that start together do not do it twice.
pub(crate) const LOCK_KEY: i64 = 0x6665_6564_7461_626c; // "feedtabl"; the relay's lease has another key

/// The tables that read-api does not read. Its role gets access to all others.
const INTERNAL_TABLES: [&str; 12] = [
    "audit",
    "blocked",
    "digest_members",
    "digest_former_members",
    "digest_received",
    "feed_followers",
    "feed_follows",
    "heads_seen",
    "instances",
    "laid_migrations",
    "pauses",
    "rebuilds",
];

/// Creates what is missing of the control schema and of these projections' schemas, in one transaction.
pub async fn prepare(db: &mut PgConnection, projections: &[&Definition]) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    let lock = query!(
        "/* schema.lock */ SELECT pg_advisory_xact_lock($1)",
        LOCK_KEY
    );
    named("schema.lock", lock.execute(&mut *tx)).await?;
    apply_migrations(CONTROL_SCHEMA, migrations::PROJECTOR, &mut tx).await?;
    for projection in projections {
        apply_migrations(projection.name(), projection.migrations, &mut tx).await?;
    }
    tx.commit().await
}

/// Creates `schema` if it does not exist, applies the migrations that it does not have, and grants read access to
/// read-api's role.
pub async fn apply_migrations(
    schema: &str,
    migrations: &[Migration],
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    run(format!("CREATE SCHEMA IF NOT EXISTS {schema}"), db).await?;
    for migration in migrations {
        if is_applied(schema, migration, db).await? {
            continue;
        }
        tracing::info!(
            schema,
            migration = migration.name,
            "schema: applying a migration"
        );
        run(format!("SET LOCAL search_path = {schema}"), db).await?;
        raw_sql(migration.sql).execute(&mut *db).await?;
        run(format!("SET LOCAL search_path = {CONTROL_SCHEMA}"), db).await?;
        let statement = query!(
            "/* schema.laid */ INSERT INTO laid_migrations (schema, name) VALUES ($1, $2)",
            schema,
            migration.name,
        );
        named("schema.laid", statement.execute(&mut *db)).await?;
    }
    grant(schema, db).await
}

/// Gives read-api's role the right to read the tables and views of a schema that it needs, and takes back what earlier versions gave.
async fn grant(schema: &str, db: &mut PgConnection) -> sqlx::Result<()> {
    let internal = INTERNAL_TABLES.map(|table| format!("'{table}'")).join(", ");
    let sql = format!(
        "GRANT USAGE ON SCHEMA {schema} TO feedmill_read;
        ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE SELECT ON TABLES FROM feedmill_read;
        DO $$
        DECLARE
            name text;
        BEGIN
            FOR name IN
                SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'
                UNION ALL SELECT viewname FROM pg_views WHERE schemaname = '{schema}'
            LOOP
                IF name IN ({internal}) THEN
                    EXECUTE format('REVOKE SELECT ON {schema}.%I FROM feedmill_read', name);
                ELSE
                    EXECUTE format('GRANT SELECT ON {schema}.%I TO feedmill_read', name);
                END IF;
            END LOOP;
        END
        $$"
    );
    run(sql, db).await
}

async fn is_applied(
    schema: &str,
    migration: &Migration,
    db: &mut PgConnection,
) -> sqlx::Result<bool> {
    run(format!("SET LOCAL search_path = {CONTROL_SCHEMA}"), db).await?;
    let control_schema = query_scalar!(
        r#"/* schema.has_books */ SELECT to_regclass('laid_migrations') IS NOT NULL AS "found!""#
    );
    if !named("schema.has_books", control_schema.fetch_one(&mut *db)).await? {
        return Ok(false);
    }
    let statement = query_scalar!(
        r#"/* schema.is_laid */
        SELECT EXISTS (SELECT FROM laid_migrations WHERE schema = $1 AND name = $2) AS "found!""#,
        schema,
        migration.name,
    );
    named("schema.is_laid", statement.fetch_one(db)).await
}

/// For statements that cannot have parameters. They contain only names from this crate's source.
async fn run(sql: String, db: &mut PgConnection) -> sqlx::Result<()> {
    raw_sql(AssertSqlSafe(sql)).execute(db).await.map(|_| ())
}
