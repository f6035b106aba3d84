//! A database of a test's own on the test server, dropped at the end.

use feedmill_events::Projection;
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{Proxy, schema, settings};

/// Connections of a pool at most: tests run side by side on one server.
const MAX_CONNECTIONS: u32 = 4;

/// The roles that the services log in as, at PostgreSQL and at NATS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    WriteApi,
    Projector,
    ReadApi,
}

impl Role {
    /// The role's name on the server.
    pub fn name(self) -> &'static str {
        match self {
            Self::WriteApi => "feedmill_write",
            Self::Projector => "feedmill_projector",
            Self::ReadApi => "feedmill_read",
        }
    }

    /// The service that logs in as it.
    pub fn service(self) -> &'static str {
        match self {
            Self::WriteApi => "write-api",
            Self::Projector => "projector",
            Self::ReadApi => "read-api",
        }
    }
}

pub struct Database {
    server: String,
    name: String,
    /// As its owner. Connects on first use.
    pub pool: PgPool,
    server_stays: bool,
}

impl Database {
    /// A database without any tables, on the server of `TEST_DATABASE_URL`.
    pub async fn empty() -> Self {
        Self::create(settings::test_database_url(), true).await
    }

    /// The same on the server of this superuser's URL, which is thrown away with the database in it.
    pub async fn on(server: String) -> Self {
        Self::create(server, false).await
    }

    /// With the log and the state tables: `migrations/write`.
    pub async fn with_log() -> Self {
        let database = Self::empty().await;
        let mut connection = connect(&database.url()).await;
        let lay = schema::lay_log(&mut connection);
        schema::with_roles(&mut connect(&database.server).await, lay).await;
        database
    }

    /// With the tables of all read models and those of the projector itself: `migrations/read`.
    pub async fn with_read_models() -> Self {
        let database = Self::empty().await;
        let mut connection = connect(&database.url()).await;
        let lay = schema::lay_read_models(&mut connection, &Projection::ALL);
        schema::with_roles(&mut connect(&database.server).await, lay).await;
        database
    }

    async fn create(server: String, server_stays: bool) -> Self {
        let name = format!("feedmill_test_{:016x}", rand::random::<u64>());
        let mut connection = connect(&server).await;
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .expect("a new database on TEST_DATABASE_URL");
        connection.close().await.ok();
        let options = url_of(&server, &name, None).parse();
        Self {
            pool: pool(options.expect("the database's URL")),
            server,
            name,
            server_stays,
        }
    }

    /// Runs `migrate` while no other test creates roles, and lets the services' roles log in afterwards.
    pub async fn migrate_with(&self, migrate: impl Future<Output = ()>) {
        schema::with_roles(&mut connect(&self.server).await, migrate).await;
    }

    /// Its URL, as the owner.
    pub fn url(&self) -> String {
        url_of(&self.server, &self.name, None)
    }

    /// Its URL, as the role of a service.
    pub fn url_as(&self, role: Role) -> String {
        url_of(&self.server, &self.name, Some(role))
    }

    /// Connection options, as the owner.
    pub fn options(&self) -> PgConnectOptions {
        self.url().parse().expect("the database's URL")
    }

    /// Connection options, as the role of a service.
    pub fn options_as(&self, role: Role) -> PgConnectOptions {
        self.url_as(role).parse().expect("the database's URL")
    }

    /// A pool as the owner, whose connections find tables in these schemas (separated by commas) and do not wait
    /// for the disk.
    pub fn pool_with_search_path(&self, search_path: &str) -> PgPool {
        pool(
            self.options()
                .options([("search_path", search_path), ("synchronous_commit", "off")]),
        )
    }

    /// A proxy before its server. [`Proxy::url`] leads any URL of this database through it.
    pub async fn proxy(&self) -> Proxy {
        let options = self.options();
        let address = (options.get_host(), options.get_port());
        let mut found = tokio::net::lookup_host(address)
            .await
            .expect("the server's address");
        Proxy::start(found.next().expect("an address")).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.server_stays {
            return;
        }
        let (server, name) = (self.server.clone(), self.name.clone());
        // On a thread of its own: a drop cannot wait for the runtime that it may be running on.
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
            eprintln!("cannot drop the test database {}", self.name);
        }
    }
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .connect_lazy_with(options)
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url)
        .await
        .unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"))
}

fn url_of(server: &str, database: &str, role: Option<Role>) -> String {
    let mut url: reqwest::Url = server.parse().expect("TEST_DATABASE_URL is a URL");
    url.set_path(database);
    if let Some(role) = role {
        let set = url
            .set_username(role.name())
            .and_then(|()| url.set_password(Some(schema::PASSWORD)));
        set.expect("TEST_DATABASE_URL names a host");
    }
    url.into()
}
