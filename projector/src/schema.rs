//! Creates the schemas of the read models and grants access to them.

use std::time::Duration;

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

/// How often an instance tries to get the lock.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The tables that read-api does not read. Its role gets access to all others.
const INTERNAL_TABLES: [&str; 14] = [
    "account_totals",
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
    "post_totals",
    "rebuilds",
];

/// Creates what is missing of the control schema and of these projections' schemas: in one transaction, except for indexes of live
/// tables ([`Migration::is_concurrent`]).
pub async fn prepare(db: &mut PgConnection, projections: &[&Definition]) -> sqlx::Result<()> {
    lock(db).await?;
    let control = (CONTROL_SCHEMA, migrations::PROJECTOR);
    let own = projections.iter().map(|it| (it.name(), it.migrations));
    let schemas: Vec<_> = [control].into_iter().chain(own).collect();
    loop {
        let mut tx = db.begin().await?;
        // A migration may read all rows of a table.
        run("SET LOCAL statement_timeout = 0".to_owned(), &mut tx).await?;
        let mut concurrent = None;
        for (schema, migrations) in &schemas {
            let next = apply_some(schema, migrations, true, &mut tx).await?;
            concurrent = concurrent.or(next.map(|migration| (*schema, migration)));
        }
        tx.commit().await?;
        match concurrent {
            Some((schema, migration)) => apply_concurrently(schema, migration, db).await?,
            None => break,
        }
    }
    let unlock = query!(
        "/* schema.unlock */ SELECT pg_advisory_unlock($1)",
        LOCK_KEY
    );
    named("schema.unlock", unlock.fetch_one(db)).await.map(drop)
}

/// Takes the lock of [`prepare`]. It never waits within a statement: the creation of an index, by another instance, would wait for that
/// statement's snapshot.
async fn lock(db: &mut PgConnection) -> sqlx::Result<()> {
    loop {
        let lock = query_scalar!(
            r#"/* schema.lock */ SELECT pg_try_advisory_lock($1) AS "locked!""#,
            LOCK_KEY
        );
        if named("schema.lock", lock.fetch_one(&mut *db)).await? {
            return Ok(());
        }
        tokio::time::sleep(LOCK_POLL_INTERVAL).await;
    }
}

/// Creates `schema` if it does not exist, applies the migrations that it does not have, and grants read access to
/// read-api's role. In a transaction, so only for a schema that is not live.
pub async fn apply_migrations(
    schema: &str,
    migrations: &[Migration],
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    apply_some(schema, migrations, false, db).await.map(drop)
}

/// As [`apply_migrations`]. Stops before a migration that a live schema gets outside of a transaction, and returns it.
async fn apply_some<'a>(
    schema: &str,
    migrations: &'a [Migration],
    may_be_live: bool,
    db: &mut PgConnection,
) -> sqlx::Result<Option<&'a Migration>> {
    run(format!("CREATE SCHEMA IF NOT EXISTS {schema}"), db).await?;
    let mut is_live = false;
    for migration in migrations {
        if is_applied(schema, migration, db).await? {
            is_live = may_be_live;
            continue;
        }
        if migration.is_concurrent() && is_live {
            return Ok(Some(migration));
        }
        tracing::info!(
            schema,
            migration = migration.name,
            "schema: applying a migration"
        );
        run(format!("SET LOCAL search_path = {schema}"), db).await?;
        // Nobody uses the tables of a new schema.
        let sql = migration.sql.replace("INDEX CONCURRENTLY", "INDEX");
        run(sql, db).await?;
        run(format!("SET LOCAL search_path = {CONTROL_SCHEMA}"), db).await?;
        record(schema, migration, db).await?;
    }
    grant(schema, db).await?;
    Ok(None)
}

/// Creates indexes of a live schema while its tables are written. Can be repeated after it was interrupted.
async fn apply_concurrently(
    schema: &str,
    migration: &Migration,
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    tracing::info!(
        schema,
        migration = migration.name,
        "schema: creating indexes of live tables"
    );
    run(
        format!("SET search_path = {schema}; SET statement_timeout = 0"),
        db,
    )
    .await?;
    // What an interrupted creation has left.
    let statement = query_scalar!(
        r#"/* schema.invalid_indexes */
        SELECT c.relname AS "name!" FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE NOT i.indisvalid AND c.relnamespace = $1::text::regnamespace"#,
        schema,
    );
    for index in named("schema.invalid_indexes", statement.fetch_all(&mut *db)).await? {
        run(format!("DROP INDEX CONCURRENTLY {index}"), db).await?;
    }
    for statement in migration.statements() {
        run(statement.to_owned(), db).await?;
    }
    run(
        format!("SET search_path = {CONTROL_SCHEMA}; RESET statement_timeout"),
        db,
    )
    .await?;
    record(schema, migration, db).await
}

async fn record(schema: &str, migration: &Migration, db: &mut PgConnection) -> sqlx::Result<()> {
    let statement = query!(
        "/* schema.laid */ INSERT INTO laid_migrations (schema, name) VALUES ($1, $2)",
        schema,
        migration.name,
    );
    named("schema.laid", statement.execute(db)).await.map(drop)
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
