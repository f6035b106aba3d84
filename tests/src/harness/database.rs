//! A database of one's own on the test PostgreSQL, dropped at the end.

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::settings;

/// What the services' roles log in with, on a test server.
const PASSWORD: &str = "feedmill-test";

/// Roles belong to the whole server: worlds that start at once take turns. Any number that nobody else uses.
const ROLES_LOCK: i64 = 7_301_846_125;

pub struct Database {
    server: String,
    name: String,
    /// As its owner.
    pub pool: PgPool,
    /// Whether the server stays when this is gone.
    server_stays: bool,
}

impl Database {
    /// On the server of `TEST_DATABASE_URL`.
    pub async fn create() -> Self {
        Self::create_on(settings::test_database_url(), true).await
    }

    /// On the server of this URL of its superuser, which may be thrown away with everything in it.
    pub async fn create_on(server: String, server_stays: bool) -> Self {
        let name = format!("feedmill_test_{:016x}", rand::random::<u64>());
        let mut connection = connect(&server).await;
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .expect("a new database on TEST_DATABASE_URL");
        let options: PgConnectOptions = url_of(&server, &name, None)
            .parse()
            .expect("the database's URL");
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_lazy_with(options);
        Self {
            server,
            name,
            pool,
            server_stays,
        }
    }

    /// Its URL as the owner.
    pub fn owner_url(&self) -> String {
        url_of(&self.server, &self.name, None)
    }

    /// Its URL as one of the services' roles.
    pub fn role_url(&self, role: &str) -> String {
        url_of(&self.server, &self.name, Some(role))
    }

    /// Runs `migrate`, which makes the roles if they are missing, and lets them log in. Under a lock, since
    /// two at once would trip over each other's changes.
    pub async fn set_up(&self, migrate: impl Future<Output = ()>) {
        let mut connection = connect(&self.server).await;
        let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(ROLES_LOCK);
        lock.execute(&mut connection)
            .await
            .expect("the lock on the roles");
        migrate.await;
        for role in ["feedmill_write", "feedmill_projector", "feedmill_read"] {
            let sql = format!("ALTER ROLE {role} LOGIN PASSWORD '{PASSWORD}'");
            sqlx::query(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .expect("a role that may log in");
        }
        connection.close().await.ok();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.server_stays {
            return;
        }
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread of its own: a drop cannot wait for the runtime that it may be running on.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let mut connection = connect(&server).await;
                let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                sqlx::query(AssertSqlSafe(sql))
                    .execute(&mut connection)
                    .await
            })
        });
        if !matches!(dropped.join(), Ok(Ok(_))) {
            eprintln!("the database {} of a test could not be dropped", self.name);
        }
    }
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url)
        .await
        .unwrap_or_else(|error| panic!("{url} does not answer: {error}"))
}

fn url_of(server: &str, database: &str, role: Option<&str>) -> String {
    let mut url: reqwest::Url = server.parse().expect("TEST_DATABASE_URL is a URL");
    url.set_path(database);
    if let Some(role) = role {
        let set = url
            .set_username(role)
            .and_then(|()| url.set_password(Some(PASSWORD)));
        set.expect("TEST_DATABASE_URL names a host");
    }
    url.into()
}
