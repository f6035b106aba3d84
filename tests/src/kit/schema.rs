//! Lays the migrations of the repository into a database, as write-api and the projector do.

use std::{fs, path::Path};

use feedmill_events::Projection;
use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};

use super::secrets::KEY;

/// Roles belong to the whole server, so tests that create them take turns. Any number that nobody else uses.
const ROLES_LOCK: i64 = 7_301_846_125;

/// Password of the services' roles on a test server.
pub const PASSWORD: &str = "feedmill-test";

const ROLES: [&str; 3] = ["feedmill_write", "feedmill_projector", "feedmill_read"];

/// Runs `migrate` while no other test creates roles, and lets the services' roles log in afterwards.
pub async fn with_roles(connection: &mut PgConnection, migrate: impl Future<Output = ()>) {
    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(ROLES_LOCK);
    lock.execute(&mut *connection)
        .await
        .expect("the lock on the roles");
    for role in ROLES {
        let create = format!(
            "DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
             ALTER ROLE {role} LOGIN PASSWORD '{PASSWORD}'"
        );
        run(connection, create).await;
    }
    migrate.await;
    let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(ROLES_LOCK);
    unlock
        .execute(connection)
        .await
        .expect("the end of the lock on the roles");
}

/// The log and the state tables, with their grants: `migrations/write`.
pub async fn lay_log(connection: &mut PgConnection) {
    for script in scripts("write") {
        run(connection, script).await;
    }
    let keys = "UPDATE write.secrets SET event_key = $1, announcement_key = $1, position_key = $1";
    let keys = sqlx::query(keys).bind(KEY).execute(connection).await;
    keys.expect("known secrets");
}

/// The tables of these read models, each in its schema, and those of the projector itself: `migrations/read`. read-api's role may
/// read all of them; the projector gives it fewer rights.
pub async fn lay_read_models(connection: &mut PgConnection, projections: &[Projection]) {
    let schemas = projections.iter().map(|projection| projection.name());
    for schema in ["projector"].into_iter().chain(schemas) {
        let mut transaction = connection.begin().await.expect("a transaction");
        run(
            &mut transaction,
            format!("CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}"),
        )
        .await;
        for script in scripts(&format!("read/{schema}")) {
            // Nobody uses the tables yet.
            let script = script.replace("INDEX CONCURRENTLY", "INDEX");
            run(&mut transaction, script).await;
        }
        run(
            &mut transaction,
            format!(
                "GRANT USAGE ON SCHEMA {schema} TO feedmill_read;
                 GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO feedmill_read"
            ),
        )
        .await;
        transaction.commit().await.expect("the tables");
    }
}

fn scripts(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../migrations")
        .join(folder);
    let entries = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("no migrations in {}: {error}", folder.display()));
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let read = |file| fs::read_to_string(file).expect("a migration");
    files.into_iter().map(read).collect()
}

async fn run(connection: &mut PgConnection, sql: String) {
    let shown: String = sql.chars().take(200).collect();
    let done = raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{error}, in: {shown}"));
}
