//! A database, a nats-server and a write-api for each test.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use clap::Parser;
use feedmill_service::{Shutdown, Signer, telemetry};
use reqwest::{Method, Response};
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection, PgPool};
use uuid::Uuid;
use write_api::{
    config::{Cli, Config},
    domain::Clock,
    subcommand::{Server, migrate},
};

use crate::port;

/// A required environment variable.
pub fn required(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "tests have no --help to show it")]
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run deploy/test, which sets it"))
}

/// Waits until `condition` holds; panics with `what` if it does not within `limit`.
pub async fn eventually<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    condition: impl Fn() -> F,
) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A database of the test's own, migrated, and dropped at the end.
pub struct Database {
    name: String,
}

impl Database {
    pub async fn new() -> Self {
        Self::create(true).await
    }

    /// Without the schema.
    pub async fn empty() -> Self {
        Self::create(false).await
    }

    async fn create(is_migrated: bool) -> Self {
        let database = Self {
            name: format!("it_write_{}", Uuid::new_v4().simple()),
        };
        let mut admin = PgConnection::connect(&required("TEST_DATABASE_URL"))
            .await
            .unwrap();
        // Roles belong to the whole server, so only one test at a time may create them.
        admin.execute("SELECT pg_advisory_lock(64)").await.unwrap();
        let create = format!("CREATE DATABASE {}", database.name);
        admin.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
        if is_migrated {
            let config = config(&["--database-url", &database.owner_url()]);
            migrate(&config).await.unwrap();
        }
        admin.close().await.unwrap();
        database
    }

    /// The URL of a superuser.
    pub fn owner_url(&self) -> String {
        let base = required("TEST_DATABASE_URL");
        let (server, rest) = base.rsplit_once('/').unwrap();
        let parameters = rest
            .split_once('?')
            .map_or(String::new(), |(_, rest)| format!("?{rest}"));
        format!("{server}/{}{parameters}", self.name)
    }

    /// The URL of the role feedmill_write.
    pub fn service_url(&self) -> String {
        let url = self.owner_url();
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}options=-c%20role%3Dfeedmill_write")
    }

    pub async fn pool(&self) -> PgPool {
        PgPool::connect(&self.owner_url()).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let work = async {
            let mut admin = PgConnection::connect(&required("TEST_DATABASE_URL")).await?;
            admin.execute(sqlx::AssertSqlSafe(drop)).await
        };
        // Not on the runtime of the test, which is shutting down.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(work).ok();
            });
        });
    }
}

/// A temporary folder, deleted at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("feedmill-it-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A nats-server that can be killed and restarted.
pub struct Nats {
    folder: Folder,
    port: u16,
    process: Option<Child>,
    config: &'static str,
}

impl Nats {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// With this configuration file.
    pub async fn start_with(config: &'static str) -> Self {
        let mut nats = Self::absent();
        nats.config = config;
        nats.start_again().await;
        nats
    }

    /// A server that is not started: nothing listens on its port.
    pub fn absent() -> Self {
        Self {
            folder: Folder::new(),
            port: port::unused(),
            process: None,
            config: "",
        }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub async fn client(&self) -> async_nats::Client {
        async_nats::ConnectOptions::new()
            .retry_on_initial_connect()
            .connect(self.url())
            .await
            .unwrap()
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// The running process.
    pub fn process(&self) -> &Child {
        self.process.as_ref().unwrap()
    }

    /// Deletes everything it stored.
    pub fn wipe(&mut self) {
        assert!(self.process.is_none());
        std::fs::remove_dir_all(self.folder.path()).unwrap();
        std::fs::create_dir(self.folder.path()).unwrap();
    }

    pub async fn start_again(&mut self) {
        let config = self.folder.path().join("nats.conf");
        std::fs::write(&config, self.config).unwrap();
        let process = Command::new(required("NATS_SERVER_BIN"))
            .arg("-c")
            .arg(config)
            .args([
                "-js",
                "-a",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-sd",
            ])
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("NATS_SERVER_BIN cannot be run");
        self.process = Some(process);
        let port = self.port;
        eventually(
            "nats-server listens",
            Duration::from_secs(10),
            || async move {
                tokio::net::TcpStream::connect(("127.0.0.1", port))
                    .await
                    .is_ok()
            },
        )
        .await;
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn config(arguments: &[&str]) -> Config {
    let arguments = ["write-api", "--write-listen", "127.0.0.1:0"]
        .iter()
        .chain(arguments);
    Cli::parse_from(arguments).config
}

/// A write-api in this process, with its database and nats-server.
pub struct Api {
    pub database: Database,
    pub nats: Nats,
    pub folder: Folder,
    running: Option<(Server, Shutdown)>,
    client: reqwest::Client,
}

impl Api {
    /// Without NATS, which no command needs.
    pub async fn start() -> Self {
        Self::start_on(Database::new().await, Nats::absent(), &[]).await
    }

    pub async fn start_on(database: Database, nats: Nats, arguments: &[&str]) -> Self {
        telemetry::install_crypto_provider();
        let client = reqwest::Client::new();
        let mut api = Self {
            database,
            nats,
            folder: Folder::new(),
            running: None,
            client,
        };
        api.start_again(arguments).await;
        api
    }

    pub async fn start_again(&mut self, arguments: &[&str]) {
        let (database, nats) = (self.database.service_url(), self.nats.url());
        let key = self.key_file();
        let own = [
            "--write-database-url",
            &database,
            "--nats-url",
            &nats,
            "--auth-key-file",
            &key,
            "--lanes",
            "2",
        ];
        let shutdown = Shutdown::new();
        let config = config(&own.iter().chain(arguments).copied().collect::<Vec<_>>());
        let server = Server::start(config, shutdown.clone()).await.unwrap();
        self.running = Some((server, shutdown));
    }

    pub async fn stop(&mut self) {
        let (server, shutdown) = self.running.take().unwrap();
        shutdown.now();
        server.join().await.unwrap();
    }

    pub fn key_file(&self) -> String {
        self.folder
            .path()
            .join("key.pem")
            .to_str()
            .unwrap()
            .to_owned()
    }

    pub fn url(&self, path: &str) -> String {
        format!(
            "http://{}{path}",
            self.running.as_ref().unwrap().0.address()
        )
    }

    pub fn signer(&self) -> Signer {
        Signer::load_or_create(self.key_file().as_ref(), "feedmill", "feedmill").unwrap()
    }

    /// A token for an account, whether or not it exists.
    pub fn token(&self, account: Uuid) -> String {
        let now = Clock::default().now().at();
        self.signer()
            .sign(account, Duration::from_mins(1), now)
            .unwrap()
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.request(Method::POST, path)
            .json(&body)
            .send()
            .await
            .unwrap()
    }

    /// A new account, signed in.
    pub async fn person(&self, handle: &str) -> Person<'_> {
        let body = serde_json::json!({ "handle": handle, "display_name": handle, "password": "long enough" });
        let response = self.post("/v1/accounts", body).await;
        assert_eq!(response.status(), 201);
        let account: Value = response.json().await.unwrap();
        let id: Uuid = account["id"].as_str().unwrap().parse().unwrap();
        Person {
            api: self,
            id,
            token: self.token(id),
        }
    }
}

/// An account that sends commands.
pub struct Person<'a> {
    pub api: &'a Api,
    pub id: Uuid,
    pub token: String,
}

impl Person<'_> {
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.api.request(method, path).bearer_auth(&self.token)
    }

    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.request(Method::POST, path)
            .json(&body)
            .send()
            .await
            .unwrap()
    }

    /// The id of a new root post.
    pub async fn new_post(&self, text: &str) -> Uuid {
        let response = self
            .post("/v1/posts", serde_json::json!({ "text": text }))
            .await;
        assert_eq!(response.status(), 201);
        let post: Value = response.json().await.unwrap();
        post["id"].as_str().unwrap().parse().unwrap()
    }

    pub async fn put(&self, path: &str) -> Response {
        self.request(Method::PUT, path).send().await.unwrap()
    }

    pub async fn delete(&self, path: &str) -> Response {
        self.request(Method::DELETE, path).send().await.unwrap()
    }
}

/// The status, the code and the fields of a problem document.
pub async fn problem(response: Response) -> (u16, String, Vec<String>) {
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    let fields = body["errors"].as_array().map_or(Vec::new(), |errors| {
        errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect()
    });
    (status, body["code"].as_str().unwrap().to_owned(), fields)
}
