//! A Feedmill that lives as long as its `World`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    net::SocketAddr,
    ops::Deref,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{Database, Links, Postgres, Process, Stack, port, process, settings};
use crate::token::Signer;

/// What a world is made of.
pub struct Plan {
    pub write: usize,
    pub projectors: usize,
    pub read: usize,
    /// How deep feeds are materialised.
    pub feed_depth: usize,
    /// Whose posts are read from them, and not put into feeds: those whom more than so many follow.
    pub fanout_max_followers: usize,
    /// With a PostgreSQL of its own, and links that can be cut between each service and its servers.
    pub faults: bool,
    /// Further settings of every service.
    pub environment: Vec<(String, String)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            write: 1,
            projectors: 1,
            read: 1,
            feed_depth: 5,
            fanout_max_followers: 3,
            faults: false,
            environment: Vec::new(),
        }
    }
}

/// Everything is killed and thrown away on drop, in the order of the fields.
pub struct World {
    pub read: Vec<Process>,
    pub projectors: Vec<Process>,
    pub write: Vec<Process>,
    pub nats: Process,
    /// With `faults`.
    pub postgres: Option<Postgres>,
    /// With `faults`: of every service, by its name.
    pub links: BTreeMap<String, Links>,
    pub stack: Stack,
    pub folder: Folder,
    _database: Database,
}

impl Deref for World {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.stack
    }
}

impl World {
    /// Starts one and waits until all of it is ready. Panics, with the log of what failed, otherwise.
    pub async fn start(plan: Plan) -> Self {
        let folder = Folder::new();
        let (mut nats, nats_address) = start_nats(&folder.0);
        let mut postgres = None;
        let database = if plan.faults {
            let own = postgres.insert(Postgres::start(&folder.0).await);
            Database::create_on(own.url(), false).await
        } else {
            Database::create().await
        };
        nats.ready().await;
        let key_file = folder.0.join("auth.pem");
        let pem = Signer::new_key();
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&key_file)
            .and_then(|mut file| file.write_all(pem.as_bytes()))
            .expect("the key file");

        let mut environment = vec![
            ("DATABASE_URL".to_owned(), database.owner_url()),
            (
                "WRITE_DATABASE_URL".to_owned(),
                database.role_url("feedmill_write"),
            ),
            (
                "PROJECTOR_DATABASE_URL".to_owned(),
                database.role_url("feedmill_projector"),
            ),
            (
                "READ_DATABASE_URL".to_owned(),
                database.role_url("feedmill_read"),
            ),
            ("NATS_URL".to_owned(), format!("nats://{nats_address}")),
            ("AUTH_KEY_FILE".to_owned(), key_file.display().to_string()),
            ("CURSOR_KEY".to_owned(), "5e".repeat(32)),
            ("FEED_DEPTH".to_owned(), plan.feed_depth.to_string()),
            (
                "FANOUT_MAX_FOLLOWERS".to_owned(),
                plan.fanout_max_followers.to_string(),
            ),
        ];
        environment.extend(plan.environment);
        database
            .set_up(async {
                let done =
                    process::run(&settings::service("write-api"), &["migrate"], &environment);
                assert!(
                    done.status.success(),
                    "write-api migrate: {}",
                    String::from_utf8_lossy(&[done.stdout, done.stderr].concat())
                );
            })
            .await;

        let counts = [
            ("write-api", plan.write),
            ("projector", plan.projectors),
            ("read-api", plan.read),
        ];
        let mut links = BTreeMap::new();
        if let Some(postgres) = &postgres {
            for (name, count) in counts {
                for index in 0..count {
                    let own = Links::start(postgres.address, nats_address).await;
                    links.insert(format!("{name}-{index}"), own);
                }
            }
        }
        let start = |name: &str, index: usize, environment: &[(String, String)]| {
            let own = links.get(&format!("{name}-{index}"));
            let environment = own.map_or_else(
                || environment.to_vec(),
                |own: &Links| own.through(environment),
            );
            start_service(name, index, &environment, &folder.0)
        };
        let (mut write, write_urls): (Vec<_>, Vec<_>) = (0..plan.write)
            .map(|index| start("write-api", index, &environment))
            .unzip();
        let (mut projectors, _): (Vec<_>, Vec<_>) = (0..plan.projectors)
            .map(|index| start("projector", index, &environment))
            .unzip();
        let keys = ("WRITE_API_URL".to_owned(), write_urls[0].clone());
        let reading = [environment.clone(), vec![keys]].concat();
        let (mut read, read_urls): (Vec<_>, Vec<_>) = (0..plan.read)
            .map(|index| start("read-api", index, &reading))
            .unzip();
        for process in write.iter_mut().chain(&mut projectors).chain(&mut read) {
            process.ready().await;
        }
        let stack = Stack {
            signer: Signer::new(&pem, &write_urls[0]).await,
            write: write_urls,
            read: read_urls,
            pool: database.pool.clone(),
            environment,
        };
        Self {
            read,
            projectors,
            write,
            nats,
            postgres,
            links,
            stack,
            folder,
            _database: database,
        }
    }

    /// The same as by `Deref`, where a process of the world is borrowed too.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Every service.
    pub fn services(&self) -> impl Iterator<Item = &Process> {
        self.write.iter().chain(&self.projectors).chain(&self.read)
    }

    /// Where JetStream keeps what it has.
    pub fn jetstream(&self) -> PathBuf {
        self.folder.0.join("jetstream")
    }

    /// The logs stay when the world ends.
    pub fn keep_logs(&mut self) -> &Path {
        self.folder.1 = true;
        &self.folder.0
    }

    /// Name and process id of every service that runs.
    pub fn pids(&self) -> Vec<(String, u32)> {
        self.services()
            .filter_map(|process| Some((process.name.clone(), process.pid()?)))
            .collect()
    }
}

/// A folder of one's own, removed on drop unless the test failed or it is to be kept.
pub struct Folder(pub PathBuf, bool);

impl Folder {
    fn new() -> Self {
        let path =
            std::env::temp_dir().join(format!("feedmill-test-{:016x}", rand::random::<u64>()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path, false)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.1 || std::thread::panicking() {
            eprintln!("the logs are in {}", self.0.display());
        } else {
            fs::remove_dir_all(&self.0).ok();
        }
    }
}

/// Starts a service on a port of its own; returns it and its base URL.
fn start_service(
    name: &str,
    index: usize,
    environment: &[(String, String)],
    folder: &Path,
) -> (Process, String) {
    let listen = match name {
        "write-api" => "WRITE_LISTEN",
        "projector" => "PROJECTOR_LISTEN",
        _ => "READ_LISTEN",
    };
    let address = format!("127.0.0.1:{}", port::unused());
    let environment = [environment, &[(listen.to_owned(), address.clone())]].concat();
    let (label, health) = (
        format!("{name}-{index}"),
        format!("http://{address}/health/ready"),
    );
    let process = Process::start(
        &label,
        &settings::service(name),
        &[],
        environment,
        folder,
        health,
    );
    (process, format!("http://{address}"))
}

/// Its health endpoint answers once JetStream is up.
fn start_nats(folder: &Path) -> (Process, SocketAddr) {
    let address: SocketAddr = ([127, 0, 0, 1], port::unused()).into();
    let (port, monitor) = (address.port().to_string(), port::unused().to_string());
    let store = folder.join("jetstream").display().to_string();
    let arguments = [
        "-js",
        "-sd",
        &store,
        "-a",
        "127.0.0.1",
        "-p",
        &port,
        "-m",
        &monitor,
    ];
    let health = format!("http://127.0.0.1:{monitor}/healthz");
    let program = settings::nats_server();
    let process = Process::start(
        "nats-server",
        &program,
        &arguments,
        Vec::new(),
        folder,
        health,
    );
    (process, address)
}
