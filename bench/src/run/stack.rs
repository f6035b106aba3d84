//! Services, measuring processes, and creating databases.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use feedmill_service::Signer;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgPool;
use tokio::{process::Command, time::sleep};
use uuid::Uuid;

use super::{
    database::{Database, execute},
    process::{Process, command, free_address, output},
    settings::Settings,
};
use crate::{
    load::{Connection, Plan, ProbePlan, ProbeSummary, Request},
    summary::Summary,
};

/// The cache of a read-api.
#[derive(Debug, Clone, Copy)]
pub enum CacheMode {
    Default,
    /// The default with another `CACHE_MAX_BYTES`.
    MaxBytes(u64),
    /// Posts and other fragments, but no responses.
    OnlyPosts,
    Off,
}

pub struct Stack {
    /// The URL of the PostgreSQL server, without a database.
    server_url: String,
    nats_server: PathBuf,
    /// The folder of the service binaries.
    pub bin: PathBuf,
    /// The folder for temporary files.
    pub folder: PathBuf,
    pub pgbench: PathBuf,
}

impl Stack {
    /// `folder` is for temporary files. The services are those beside this binary.
    pub fn new(settings: &Settings, folder: &Path) -> Result<Self> {
        let (server_url, _) = settings
            .database_url
            .rsplit_once('/')
            .context("DATABASE_URL has no database name")?;
        let this = std::env::current_exe()?;
        Ok(Self {
            server_url: server_url.to_owned(),
            nats_server: settings.nats_server.clone(),
            bin: this
                .parent()
                .context("the binary has no folder")?
                .to_owned(),
            folder: folder.to_owned(),
            pgbench: settings.pgbench.clone(),
        })
    }

    /// Signs tokens with the key of the services.
    pub fn signer(&self) -> Result<Signer> {
        Signer::load_or_create(&self.key_file(), "feedmill", "feedmill")
    }

    fn key_file(&self) -> PathBuf {
        self.folder.join("auth.pem")
    }

    /// Starts a nats-server with JetStream. Each database needs one of its own.
    pub async fn nats(&self, name: &str) -> Result<Process> {
        let (address, monitor) = (free_address()?, free_address()?);
        let store = self.folder.join(format!("nats-{name}"));
        let config = store.with_extension("conf");
        let lines = format!(
            "server_name: {name}\nlisten: \"{address}\"\nhttp: \"{monitor}\"\njetstream {{ store_dir: \"{}\" }}\n",
            store.display()
        );
        fs::write(&config, lines)?;
        let arguments = ["-c", &config.display().to_string()];
        let command = command(&self.nats_server, &arguments, &[]);
        Process::start(
            "nats-server",
            command,
            &address,
            &monitor,
            "/healthz",
            &self.folder,
        )
        .await
    }

    /// Creates a database, empty or as a copy of another one, which must not be in use.
    pub async fn database(
        &self,
        name: &str,
        copy_of: Option<&Database>,
        nats: &Process,
    ) -> Result<Database> {
        let admin = PgPool::connect(&format!("{}/postgres", self.server_url)).await?;
        let template = match copy_of {
            Some(original) => {
                original.pool.close().await;
                format!(" TEMPLATE {}", original.name)
            }
            None => String::new(),
        };
        execute(&admin, &format!("CREATE DATABASE {name}{template}")).await?;
        admin.close().await;
        self.open(name, nats).await
    }

    /// Connects to an existing database.
    pub async fn open(&self, name: &str, nats: &Process) -> Result<Database> {
        let url = format!("{}/{name}", self.server_url);
        Ok(Database {
            pool: PgPool::connect(&url).await?,
            url,
            name: name.to_owned(),
            nats_url: format!("nats://{}", nats.address),
        })
    }

    pub async fn drop(&self, database: Database) -> Result<()> {
        database.pool.close().await;
        let admin = PgPool::connect(&format!("{}/postgres", self.server_url)).await?;
        execute(
            &admin,
            &format!("DROP DATABASE {} WITH (FORCE)", database.name),
        )
        .await
    }

    fn environment(&self, database: &Database) -> Vec<(&'static str, String)> {
        let url = || database.url.clone();
        let file = |name: &str| self.folder.join(name).display().to_string();
        vec![
            ("DATABASE_URL", url()),
            ("WRITE_DATABASE_URL", url()),
            ("PROJECTOR_DATABASE_URL", url()),
            ("READ_DATABASE_URL", url()),
            ("NATS_URL", database.nats_url.clone()),
            ("AUTH_KEY_FILE", self.key_file().display().to_string()),
            ("QUOTAS", "off".to_owned()),
            ("CURSOR_KEY_FILE", file("cursor.key")),
            ("RUST_LOG", "warn".to_owned()),
            ("NO_COLOR", "1".to_owned()),
        ]
    }

    /// A command of a service's binary.
    pub fn command(&self, database: &Database, binary: &str, arguments: &[&str]) -> Command {
        command(
            &self.bin.join(binary),
            arguments,
            &self.environment(database),
        )
    }

    /// Creates the tables and imports a file. Gives the output of the import.
    pub async fn import(&self, database: &Database, file: &Path) -> Result<String> {
        output(self.command(database, "write-api", &["migrate"])).await?;
        let file = file.display().to_string();
        let printed = output(self.command(database, "write-api", &["import", &file])).await?;
        Ok(printed.trim().to_owned())
    }

    pub async fn write_api(&self, database: &Database) -> Result<Process> {
        self.service(database, "write-api", "WRITE_LISTEN", &[])
            .await
    }

    pub async fn projector(&self, database: &Database) -> Result<Process> {
        self.service(database, "projector", "PROJECTOR_LISTEN", &[])
            .await
    }

    /// `write_api` serves the key set that tokens are verified with.
    pub async fn read_api(
        &self,
        database: &Database,
        write_api: &Process,
        cache: CacheMode,
    ) -> Result<Process> {
        let mut settings = vec![
            ("WRITE_API_URL", format!("http://{}", write_api.address)),
            (
                "WRITE_ADMIN_URL",
                format!("http://{}", write_api.admin_address),
            ),
        ];
        match cache {
            CacheMode::Default => {}
            CacheMode::MaxBytes(bytes) => settings.push(("CACHE_MAX_BYTES", bytes.to_string())),
            CacheMode::OnlyPosts => settings.push(("CACHE_POSTS_PERCENT", "100".to_owned())),
            CacheMode::Off => settings.push(("CACHE_MAX_BYTES", "0".to_owned())),
        }
        self.service(database, "read-api", "READ_LISTEN", &settings)
            .await
    }

    async fn service(
        &self,
        database: &Database,
        name: &'static str,
        listen: &'static str,
        settings: &[(&'static str, String)],
    ) -> Result<Process> {
        let address = free_address()?;
        let mut environment = self.environment(database);
        let admin_address = free_address()?;
        environment.push((listen, address.clone()));
        environment.push(("ADMIN_LISTEN", admin_address.clone()));
        environment.extend_from_slice(settings);
        let command = command(&self.bin.join(name), &[], &environment);
        let path = "/health/ready";
        Process::start(name, command, &address, &admin_address, path, &self.folder).await
    }

    /// Starts a subcommand of this binary as a server, and waits until `path` is answered.
    pub async fn server(
        &self,
        database: &Database,
        arguments: &[&str],
        path: &str,
    ) -> Result<Process> {
        let address = free_address()?;
        let arguments: Vec<&str> = [&arguments[..1], &[address.as_str()], &arguments[1..]].concat();
        let command = command(
            &std::env::current_exe()?,
            &arguments,
            &self.environment(database),
        );
        Process::start(
            arguments[0],
            command,
            &address,
            &address,
            path,
            &self.folder,
        )
        .await
    }

    /// Runs a measuring subcommand of this binary with `input` in a file, and gives its summary.
    pub async fn measure<T: DeserializeOwned>(
        &self,
        subcommand: &str,
        input: &impl Serialize,
        arguments: &[&str],
    ) -> Result<T> {
        let file = self
            .folder
            .join(format!("{subcommand}-{}.json", Uuid::new_v4().simple()));
        fs::write(&file, serde_json::to_vec(input)?)?;
        let name = file.display().to_string();
        let arguments: Vec<&str> = [&[subcommand, name.as_str()], arguments].concat();
        let printed = output(command(&std::env::current_exe()?, &arguments, &[])).await;
        fs::remove_file(&file)?;
        Ok(serde_json::from_str(
            &printed.with_context(|| subcommand.to_owned())?,
        )?)
    }

    pub async fn probe(&self, plan: &ProbePlan) -> Result<ProbeSummary> {
        self.measure("probe", plan, &[]).await
    }

    pub async fn load(&self, plan: &Plan) -> Result<Summary> {
        self.measure("load", plan, &[]).await
    }
}

/// Sends one request on a new connection. Gives head and body. Errors: the response is not a success.
pub async fn request(address: &str, request: &Request) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut connection = Connection::new(address);
    let response = connection.send(request.bytes.as_bytes()).await?;
    let (head, body) = (connection.head().to_vec(), connection.body().to_vec());
    ensure!(
        response.is_success(),
        "{}: {}",
        response.status,
        String::from_utf8_lossy(&body)
    );
    Ok((head, body))
}

/// A new leader begins to measure its lag within a moment.
const POLLS_WITHOUT_LAG: usize = 10;

/// Waits until write-api has published the whole log to the stream. Errors: it has not after 2 min.
pub async fn relayed(write_api: &Process) -> Result<()> {
    let until = Instant::now() + Duration::from_mins(2);
    let metrics = crate::load::get(0, "/metrics", "");
    let mut polls_without_lag = 0;
    while polls_without_lag < POLLS_WITHOUT_LAG {
        let (_, body) = request(&write_api.admin_address, &metrics).await?;
        let text = String::from_utf8_lossy(&body);
        let has = |metric: &str| text.lines().any(|line| line == metric);
        // A relay that does not lead yet has no lag either.
        if has("relay_leader 1") && has("relay_lag_events 0") {
            polls_without_lag += 1;
        } else {
            polls_without_lag = 0;
        }
        ensure!(
            Instant::now() < until,
            "the relay does not catch up within two minutes"
        );
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
