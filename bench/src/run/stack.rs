//! Databases, our services, and the processes that measure.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgPool, SqlSafeStr};
use tokio::{process::Command, time::sleep};
use uuid::Uuid;

use super::process::{Process, command, free_address, output};
use crate::{
    load::{Connection, Plan, Request},
    summary::Summary,
};

/// What read-api keeps.
#[derive(Debug, Clone, Copy)]
pub enum Memory {
    Usual,
    /// The same, in so many bytes.
    Bytes(u64),
    /// Posts, of which answers are put together, and no answers.
    Posts,
    Nothing,
}

pub struct Stack {
    /// Of the server, without a database.
    server: String,
    nats_url: String,
    /// Where our binaries are.
    bin: PathBuf,
    /// What is thrown away afterwards.
    pub folder: PathBuf,
    pub pgbench: PathBuf,
}

/// Nobody listens there: for a database whose log goes into no stream.
const NO_NATS: &str = "nats://127.0.0.1:1";

/// A database with a Feedmill in it.
#[derive(Clone)]
pub struct Database {
    pub url: String,
    pub pool: PgPool,
    name: String,
    nats_url: String,
}

impl Stack {
    pub fn new(
        database_url: &str,
        nats_url: String,
        folder: &Path,
        pgbench: PathBuf,
    ) -> Result<Self> {
        let (server, _) = database_url
            .rsplit_once('/')
            .context("DATABASE_URL names no database")?;
        let this = std::env::current_exe()?;
        Ok(Self {
            server: server.to_owned(),
            nats_url,
            bin: this.parent().context("a folder of binaries")?.to_owned(),
            folder: folder.to_owned(),
            pgbench,
        })
    }

    /// The file with the key of tokens.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("auth.pem")
    }

    /// A new database, as a copy of another one if that is given, which nobody may be using. With `stream` its
    /// write-api, projector and read-api talk to NATS; only one database may.
    pub async fn database(
        &self,
        name: &str,
        copy_of: Option<&Database>,
        stream: bool,
    ) -> Result<Database> {
        let admin = PgPool::connect(&format!("{}/postgres", self.server)).await?;
        let template = match copy_of {
            Some(original) => {
                original.pool.close().await;
                format!(" TEMPLATE {}", original.name)
            }
            None => String::new(),
        };
        execute(&admin, &format!("CREATE DATABASE {name}{template}")).await?;
        admin.close().await;
        self.open(name, stream).await
    }

    pub async fn open(&self, name: &str, stream: bool) -> Result<Database> {
        let url = format!("{}/{name}", self.server);
        Ok(Database {
            pool: PgPool::connect(&url).await?,
            url,
            name: name.to_owned(),
            nats_url: if stream {
                self.nats_url.clone()
            } else {
                NO_NATS.to_owned()
            },
        })
    }

    pub async fn drop(&self, database: Database) -> Result<()> {
        database.pool.close().await;
        let admin = PgPool::connect(&format!("{}/postgres", self.server)).await?;
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
            ("CURSOR_KEY_FILE", file("cursor.key")),
            ("RUST_LOG", "warn".to_owned()),
            ("NO_COLOR", "1".to_owned()),
        ]
    }

    /// A command of one of our binaries, to be run to its end.
    pub fn ours(&self, database: &Database, binary: &str, arguments: &[&str]) -> Command {
        command(
            &self.bin.join(binary),
            arguments,
            &self.environment(database),
        )
    }

    /// Lays the tables and imports a file; gives what the import said.
    pub async fn import(&self, database: &Database, file: &Path) -> Result<String> {
        output(self.ours(database, "write-api", &["migrate"])).await?;
        let file = file.display().to_string();
        let said = output(self.ours(database, "write-api", &["import", &file])).await?;
        Ok(said.trim().to_owned())
    }

    pub async fn write_api(&self, database: &Database) -> Result<Process> {
        self.service(database, "write-api", "WRITE_LISTEN", &[])
            .await
    }

    pub async fn projector(&self, database: &Database) -> Result<Process> {
        self.service(database, "projector", "PROJECTOR_LISTEN", &[])
            .await
    }

    /// `write_api` is where the keys of its tokens are.
    pub async fn read_api(
        &self,
        database: &Database,
        write_api: &Process,
        memory: Memory,
    ) -> Result<Process> {
        let mut more = vec![("WRITE_API_URL", format!("http://{}", write_api.address))];
        match memory {
            Memory::Usual => {}
            Memory::Bytes(bytes) => more.push(("CACHE_MAX_BYTES", bytes.to_string())),
            Memory::Posts => more.push(("CACHE_POSTS_PERCENT", "100".to_owned())),
            Memory::Nothing => more.push(("CACHE_MAX_BYTES", "0".to_owned())),
        }
        self.service(database, "read-api", "READ_LISTEN", &more)
            .await
    }

    async fn service(
        &self,
        database: &Database,
        name: &'static str,
        listen: &'static str,
        more: &[(&'static str, String)],
    ) -> Result<Process> {
        let address = free_address()?;
        let mut environment = self.environment(database);
        environment.push((listen, address.clone()));
        environment.extend_from_slice(more);
        let command = command(&self.bin.join(name), &[], &environment);
        // Without NATS it is alive, and not ready; it works all the same.
        let path = if database.nats_url == NO_NATS {
            "/health/live"
        } else {
            "/health/ready"
        };
        Process::start(name, command, &address, path, &self.folder).await
    }

    /// A server that is another subcommand of this binary.
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
        Process::start(arguments[0], command, &address, path, &self.folder).await
    }

    /// Runs a measuring subcommand of this binary with its input in a file.
    pub async fn measure(
        &self,
        subcommand: &str,
        input: &impl Serialize,
        more: &[&str],
    ) -> Result<Summary> {
        let file = self
            .folder
            .join(format!("{subcommand}-{}.json", Uuid::new_v4().simple()));
        fs::write(&file, serde_json::to_vec(input)?)?;
        let name = file.display().to_string();
        let arguments: Vec<&str> = [&[subcommand, name.as_str()], more].concat();
        let said = output(command(&std::env::current_exe()?, &arguments, &[])).await;
        fs::remove_file(&file)?;
        Ok(serde_json::from_str(
            &said.with_context(|| subcommand.to_owned())?,
        )?)
    }

    pub async fn load(&self, plan: &Plan) -> Result<Summary> {
        self.measure("load", plan, &[]).await
    }
}

impl Database {
    /// Waits until all that is in the log is in every read model.
    pub async fn projected(&self) -> Result<()> {
        let behind = "
            SELECT coalesce(sum(p.head - coalesce(c.seq, 0)), 0)::int8
            FROM write.partitions AS p
            CROSS JOIN projector.projections AS m
            LEFT JOIN projector.checkpoints AS c
                ON c.projection = m.name AND c.generation = m.generation AND c.partition = p.id";
        let (mut least, mut since) = (i64::MAX, Instant::now());
        loop {
            // Where no table is yet, all is to be done.
            let behind = sqlx::query_scalar(behind).fetch_one(&self.pool).await;
            let behind: i64 = behind.unwrap_or(i64::MAX - 1);
            if behind == 0 {
                return Ok(());
            }
            if behind < least {
                (least, since) = (behind, Instant::now());
            }
            if since.elapsed() > Duration::from_mins(2) {
                bail!("the projector stands still, {behind} events behind");
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Every side begins with tables whose statistics are there and that nobody is about to clean up.
    pub async fn settle(&self) -> Result<()> {
        execute(&self.pool, "VACUUM (ANALYZE)").await?;
        execute(&self.pool, "CHECKPOINT").await
    }
}

/// Runs a statement that we made up ourselves.
pub async fn execute(pool: &PgPool, statement: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement).into_sql_str())
        .execute(pool)
        .await
        .with_context(|| statement.lines().next().unwrap_or_default().to_owned())?;
    Ok(())
}

/// Asks once; gives head and body.
pub async fn ask(address: &str, request: &Request) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut connection = Connection::to(address);
    let answer = connection.ask(request.bytes.as_bytes()).await?;
    let (head, body) = (connection.head().to_vec(), connection.body().to_vec());
    ensure!(
        answer.is_good(),
        "{}: {}",
        answer.status,
        String::from_utf8_lossy(&body)
    );
    Ok((head, body))
}

/// Waits until write-api has copied the whole log into the stream.
pub async fn relayed(write_api: &Process) -> Result<()> {
    let until = Instant::now() + Duration::from_mins(2);
    let request = crate::load::get(0, "/metrics", "");
    loop {
        let (_, body) = ask(&write_api.address, &request).await?;
        let text = String::from_utf8_lossy(&body);
        let lag = text
            .lines()
            .find_map(|line| line.strip_prefix("relay_lag_events "));
        if lag == Some("0") {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "the relay does not catch up: {lag:?} events behind"
        );
        sleep(Duration::from_millis(100)).await;
    }
}
