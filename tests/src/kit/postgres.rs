//! A PostgreSQL server of a test's own, which may be killed. fsync is on, so that committed data survives that.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::{sleep, timeout};

use super::{Certificates, Process, TempFolder, port, process, settings};

/// Recovery after a kill takes no longer.
const START_TIMEOUT: Duration = Duration::from_mins(1);

const STOP_TIMEOUT: Duration = Duration::from_mins(1);

pub struct Postgres {
    pub address: SocketAddr,
    process: Process,
    data: PathBuf,
    folder: Option<TempFolder>,
    /// Verifies its certificate.
    ca: Option<PathBuf>,
}

impl Postgres {
    /// A new server, running.
    pub async fn start() -> Self {
        let folder = TempFolder::new();
        let mut server = Self::start_in(folder.path()).await;
        server.folder = Some(folder);
        server
    }

    /// A new server with its files in this folder, running.
    pub async fn start_in(folder: &Path) -> Self {
        Self::start_with(folder, None).await
    }

    /// The same, which accepts encrypted connections with this certificate. The clients verify it.
    pub async fn start_with(folder: &Path, tls: Option<&Certificates>) -> Self {
        let data = folder.join("postgres");
        fs::create_dir(&data).expect("the data folder");
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a folder to enter");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("a private folder");
        let user = other_user();
        if let Some((uid, gid)) = user {
            chown(&data, Some(uid), Some(gid)).expect("the data folder's owner");
        }
        let data_folder = data;
        let data = data_folder.display().to_string();
        let initdb = format!("-D {data} -U postgres --auth=trust --encoding=UTF8 --locale=C -N");
        let initdb = as_user(user, &settings::postgres_program("initdb"), &split(&initdb));
        let made = initdb.run();
        assert!(made.status.success(), "initdb: {made:?}");

        let address: SocketAddr = ([127, 0, 0, 1], port::unused()).into();
        let settings = format!(
            "-D {data} -p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync=on \
             -c timezone=UTC -c log_timezone=UTC -c max_connections=300 -c max_wal_size=2GB{}",
            address.port(),
            tls.map(|tls| enable_tls(tls, &data, user))
                .unwrap_or_default()
        );
        let command = as_user(
            user,
            &settings::postgres_program("postgres"),
            &split(&settings),
        );
        let arguments: Vec<_> = command.arguments.iter().map(String::as_str).collect();
        let process = Process::new("postgres", &command.program, folder).arguments(&arguments);
        let mut server = Self {
            address,
            process,
            data: data_folder,
            folder: None,
            ca: tls.map(|tls| tls.ca.clone()),
        };
        server.launch().await;
        server
    }

    /// The URL of its superuser.
    pub fn url(&self) -> String {
        let tls = self
            .ca
            .as_ref()
            .map(|ca| format!("?sslmode=verify-full&sslrootcert={}", ca.display()));
        format!(
            "postgres://postgres@{}/postgres{}",
            self.address,
            tls.unwrap_or_default()
        )
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Changes settings and restarts it.
    pub async fn configure(&mut self, settings: &[(&str, &str)]) {
        let mut connection = PgConnection::connect(&self.url())
            .await
            .expect("a connection");
        for (name, value) in settings {
            let value = value.replace('\'', "''");
            let set = AssertSqlSafe(format!("ALTER SYSTEM SET {name} = '{value}'"));
            sqlx::query(set)
                .execute(&mut connection)
                .await
                .expect("a setting");
        }
        connection.close().await.ok();
        self.stop().await;
        self.launch().await;
    }

    /// A new folder that belongs to its user.
    pub fn create_folder(&self, path: &Path) {
        fs::create_dir(path).expect("a folder");
        if let Some((uid, gid)) = other_user() {
            chown(path, Some(uid), Some(gid)).expect("the folder's owner");
        }
    }

    /// Runs a program as its user.
    pub fn run_as_its_user(&self, program: &str, arguments: &[String]) -> Output {
        as_user(other_user(), Path::new(program), arguments).run()
    }

    /// SIGKILL to the postmaster: its children notice, and nothing is written any more.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Fast shutdown: ends all sessions, writes a checkpoint and stops.
    pub async fn stop(&mut self) {
        self.signal("INT");
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.process.ended().is_none() && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        self.process.kill();
    }

    /// Starts it where it does not run and waits until it accepts connections. A server refuses to start while
    /// children of its killed predecessor are alive, so this tries again.
    pub async fn launch(&mut self) {
        self.process.launch();
        self.ready().await;
    }

    async fn ready(&mut self) {
        let url = self.url();
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let connect = timeout(Duration::from_secs(2), PgConnection::connect(&url));
            if let Ok(Ok(connection)) = connect.await {
                connection.close().await.ok();
                return;
            }
            assert!(
                Instant::now() < deadline,
                "PostgreSQL does not accept connections after {START_TIMEOUT:?}\n{}",
                self.process.log_tail()
            );
            sleep(Duration::from_millis(50)).await;
            if self.process.ended().is_some() {
                self.process.kill();
                self.process.launch();
            }
        }
    }

    /// SIGSTOP to all of its processes, for this long.
    pub async fn pause(&mut self, time: Duration) {
        self.signal("STOP");
        let children = self.children();
        process::signal("STOP", &children);
        sleep(time).await;
        process::signal("CONT", &children);
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        if let Some(pid) = self.process.pid() {
            process::signal(name, &[pid]);
        }
    }

    fn children(&self) -> Vec<u32> {
        let Some(pid) = self.process.pid() else {
            return Vec::new();
        };
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect()
    }
}

impl Drop for Postgres {
    /// Not killed: that would leave its shared memory behind.
    fn drop(&mut self) {
        self.signal("CONT");
        self.signal("INT");
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.process.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// PostgreSQL refuses to run as root: then user and group of `postgres`, or of `nobody`.
fn other_user() -> Option<(u32, u32)> {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let id = |what: &str, user: &str| {
        let output = Command::new("id").args([what, user]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    let both = |user: &str| Some((id("-u", user)?, id("-g", user)?));
    root.then(|| {
        both("postgres")
            .or_else(|| both("nobody"))
            .expect("a user for PostgreSQL")
    })
}

/// A program with its arguments.
struct UserCommand {
    program: PathBuf,
    arguments: Vec<String>,
}

impl UserCommand {
    fn run(&self) -> Output {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        process::run(&self.program, &arguments, &[])
    }
}

/// A program as that user, and in a folder that it may enter.
fn as_user(user: Option<(u32, u32)>, program: &Path, arguments: &[String]) -> UserCommand {
    let mut all: Vec<String> = Vec::new();
    if let Some((uid, gid)) = user {
        all.extend([
            "setpriv".to_owned(),
            format!("--reuid={uid}"),
            format!("--regid={gid}"),
            "--clear-groups".to_owned(),
        ]);
    }
    all.extend(["env".to_owned(), "-C".to_owned(), "/".to_owned()]);
    all.push(program.display().to_string());
    all.extend_from_slice(arguments);
    UserCommand {
        program: all.remove(0).into(),
        arguments: all,
    }
}

fn split(arguments: &str) -> Vec<String> {
    arguments.split(' ').map(str::to_owned).collect()
}

/// The options that enable TLS. PostgreSQL insists on a key that only its user can read.
fn enable_tls(tls: &Certificates, data: &str, user: Option<(u32, u32)>) -> String {
    let [certificate, key] = ["server.crt", "server.key"].map(|name| Path::new(data).join(name));
    for (from, to) in [(&tls.certificate, &certificate), (&tls.key, &key)] {
        fs::copy(from, to).expect("a copy for the server");
        fs::set_permissions(to, fs::Permissions::from_mode(0o600)).expect("a private file");
        if let Some((uid, gid)) = user {
            chown(to, Some(uid), Some(gid)).expect("the server's file");
        }
    }
    format!(
        " -c ssl=on -c ssl_cert_file={} -c ssl_key_file={}",
        certificate.display(),
        key.display()
    )
}
