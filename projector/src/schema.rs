//! Makes the schemas of the read models, and says who may read them.

use feedmill_service::sql::named;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, query, query_scalar, raw_sql};

use crate::projection::{Definition, Migration};

/// The schema of the projector's own books.
pub const BOOKS: &str = "projector";

pub static BOOKS_MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_checkpoints",
        sql: include_str!("../../migrations/read/projector/0001_checkpoints.sql"),
    },
    Migration {
        name: "0002_instances_and_controls",
        sql: include_str!("../../migrations/read/projector/0002_instances_and_controls.sql"),
    },
    Migration {
        name: "0003_rebuilds",
        sql: include_str!("../../migrations/read/projector/0003_rebuilds.sql"),
    },
];

/// Held while schemas are made, so that instances which start together do not do it twice.
pub(crate) const LOCK: i64 = 0x6665_6564_7461_626c; // "feedtabl"; the relay's lease has another

/// Makes what is missing of the books' and these projections' schemas, all or nothing.
pub async fn prepare(db: &mut PgConnection, projections: &[&Definition]) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    let lock = query!("/* schema.lock */ SELECT pg_advisory_xact_lock($1)", LOCK);
    named("schema.lock", lock.execute(&mut *tx)).await?;
    lay(BOOKS, BOOKS_MIGRATIONS, &mut tx).await?;
    for projection in projections {
        lay(projection.name(), projection.migrations, &mut tx).await?;
    }
    tx.commit().await
}

/// Lays the migrations that `schema` does not have yet, after making it if need be, and lets the read API
/// read its tables.
pub async fn lay(
    schema: &str,
    migrations: &[Migration],
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    run(format!("CREATE SCHEMA IF NOT EXISTS {schema}"), db).await?;
    for migration in migrations {
        if is_laid(schema, migration, db).await? {
            continue;
        }
        tracing::info!(schema, migration = migration.name, "making tables");
        run(format!("SET LOCAL search_path = {schema}"), db).await?;
        raw_sql(migration.sql).execute(&mut *db).await?;
        run(format!("SET LOCAL search_path = {BOOKS}"), db).await?;
        let statement = query!(
            "/* schema.laid */ INSERT INTO laid_migrations (schema, name) VALUES ($1, $2)",
            schema,
            migration.name,
        );
        named("schema.laid", statement.execute(&mut *db)).await?;
    }
    run(
        format!(
            "GRANT USAGE ON SCHEMA {schema} TO feedmill_read;
            GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO feedmill_read;
            ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO feedmill_read"
        ),
        db,
    )
    .await
}

async fn is_laid(schema: &str, migration: &Migration, db: &mut PgConnection) -> sqlx::Result<bool> {
    run(format!("SET LOCAL search_path = {BOOKS}"), db).await?;
    let books = query_scalar!(
        r#"/* schema.has_books */ SELECT to_regclass('laid_migrations') IS NOT NULL AS "found!""#
    );
    if !named("schema.has_books", books.fetch_one(&mut *db)).await? {
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

/// Statements that cannot have parameters. What is put into them are names from this crate's source.
async fn run(sql: String, db: &mut PgConnection) -> sqlx::Result<()> {
    raw_sql(AssertSqlSafe(sql)).execute(db).await.map(|_| ())
}
