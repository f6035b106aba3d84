//! A whole Feedmill, which lives as long as its `Stack`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    ops::{Deref, Range},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::secrets::position_key_of;
use super::{
    Certificates, Database, Nats, Postgres, Process, Role, Routes, Target, TempFolder, binary,
    port, process,
};
use crate::token::Signer;

pub struct StackConfig {
    /// Instances of each service.
    pub write: usize,
    pub projectors: usize,
    pub read: usize,
    /// `FEED_DEPTH`: entries of a feed that are stored.
    pub feed_depth: usize,
    /// `FANOUT_MAX_FOLLOWERS`: posts of authors with more followers are read from the author.
    pub fanout_max_followers: usize,
    /// Whether it has a PostgreSQL server of its own, and proxies between each service and its servers.
    pub faults: bool,
    /// Whether it has a PostgreSQL server of its own, and connections to it and to NATS are encrypted.
    pub tls: bool,
    /// The binaries of the services, and of the migration; those of this build if there are none.
    pub programs: BTreeMap<&'static str, PathBuf>,
    /// Further lines of the configuration file of NATS.
    pub nats: String,
    /// Further settings of every service.
    pub environment: Vec<(String, String)>,
}

impl Default for StackConfig {
    /// One instance of each service, and limits that a few accounts exceed.
    fn default() -> Self {
        Self {
            write: 1,
            projectors: 1,
            read: 1,
            feed_depth: 5,
            fanout_max_followers: 3,
            faults: false,
            tls: false,
            programs: BTreeMap::new(),
            nats: String::new(),
            environment: Vec::new(),
        }
    }
}

impl StackConfig {
    /// One instance of each service, with their default limits.
    pub fn with_default_limits() -> Self {
        Self {
            feed_depth: 1_000,
            fanout_max_followers: 10_000,
            ..Self::default()
        }
    }
}

/// Processes are killed and everything is removed on drop, in the order of the fields.
pub struct Stack {
    pub read: Vec<Process>,
    pub projectors: Vec<Process>,
    pub write: Vec<Process>,
    pub nats: Nats,
    /// With `faults` or `tls`.
    pub postgres: Option<Postgres>,
    /// With `faults`: the proxies of every service, by its name, for example `read-api-0`.
    pub routes: BTreeMap<String, Routes>,
    pub target: Target,
    folder: TempFolder,
    _database: Database,
}

impl Deref for Stack {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

impl Stack {
    /// Starts it and waits until every service is ready. Panics otherwise, with the log of the service.
    pub async fn start(config: StackConfig) -> Self {
        let folder = TempFolder::new();
        let tls = config
            .tls
            .then(|| Certificates::create(&folder.path().join("tls")));
        let nats_config = tls.as_ref().map_or(String::new(), nats_tls) + &config.nats;
        let mut nats = Nats::with_users(folder.path(), &nats_config);
        nats.process.launch();
        let mut postgres = None;
        let database = if config.faults || config.tls {
            let own = postgres.insert(Postgres::start_with(folder.path(), tls.as_ref()).await);
            Database::on(own.url()).await
        } else {
            Database::empty().await
        };
        nats.process.ready().await;
        let (pem, key_file) = create_key(folder.path());
        let mut environment = environment(&config, &database, &nats, &key_file);
        if let Some(tls) = &tls {
            environment.push(("NATS_CA_FILE".to_owned(), tls.ca.display().to_string()));
        }
        let program = |name: &str| {
            let other = config.programs.get(name).cloned();
            other.unwrap_or_else(|| binary::service(name))
        };
        let migrating = async { migrate(&program("write-api"), &environment) };
        database.migrate_with(migrating).await;

        let counts = [
            (Role::WriteApi.service(), config.write),
            (Role::Projector.service(), config.projectors),
            (Role::ReadApi.service(), config.read),
        ];
        let mut routes = BTreeMap::new();
        if let (Some(postgres), true) = (&postgres, config.faults) {
            for (name, count) in counts {
                for index in 0..count {
                    let own = Routes::start(postgres.address, nats.address).await;
                    routes.insert(format!("{name}-{index}"), own);
                }
            }
        }
        let launch = |role: Role, instances: Range<usize>, environment: &[(String, String)]| {
            let name = role.service();
            let launch = |index| {
                let mut environment = environment.to_vec();
                environment.retain(|(name, _)| name != "NATS_URL");
                environment.push(("NATS_URL".to_owned(), nats.url_as(role)));
                if let Some(routes) = routes.get(&format!("{name}-{index}")) {
                    environment = Routes::through(routes, &environment);
                }
                launch_service((name, &program(name)), index, environment, folder.path())
            };
            instances.map(launch).unzip::<_, _, Vec<_>, Vec<_>>()
        };
        let (mut write, write_urls) = launch(Role::WriteApi, 0..config.write, &environment);
        let (mut projectors, _) = launch(Role::Projector, 0..config.projectors, &environment);
        let of_write = [
            ("WRITE_API_URL".to_owned(), write_urls[0].public.clone()),
            ("WRITE_ADMIN_URL".to_owned(), write_urls[0].admin.clone()),
        ];
        let reading = [&environment[..], &of_write].concat();
        let (mut read, read_urls) = launch(Role::ReadApi, 0..config.read, &reading);
        for process in write.iter_mut().chain(&mut projectors).chain(&mut read) {
            process.ready().await;
        }
        let target = Target {
            signer: Signer::new(&pem, &write_urls[0].public).await,
            write: write_urls.into_iter().map(|urls| urls.public).collect(),
            read: read_urls.into_iter().map(|urls| urls.public).collect(),
            position_key: position_key_of(&database.pool).await,
            pool: database.pool.clone(),
            environment,
        };
        Self {
            read,
            projectors,
            write,
            nats,
            postgres,
            routes,
            target,
            folder,
            _database: database,
        }
    }

    /// Every process of the three services.
    pub fn services(&self) -> impl Iterator<Item = &Process> {
        self.write.iter().chain(&self.projectors).chain(&self.read)
    }

    pub fn services_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Process> {
        let services = self.write.iter_mut().chain(&mut self.projectors);
        services.chain(&mut self.read)
    }

    /// The PostgreSQL server of its own; panics without `faults`.
    pub fn postgres(&mut self) -> &mut Postgres {
        self.postgres.as_mut().expect("a stack with faults")
    }

    /// A file of this name in the stack's temporary folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Leaves the logs there when the test ends; returns their folder.
    pub fn keep_logs(&mut self) -> &Path {
        self.folder.keep();
        self.folder.path()
    }

    /// Name and process id of every service that runs.
    pub fn pids(&self) -> Vec<(String, u32)> {
        self.services()
            .filter_map(|process| Some((process.name.clone(), process.pid()?)))
            .collect()
    }
}

/// The lines of NATS's configuration file that make it accept encrypted connections only.
fn nats_tls(tls: &Certificates) -> String {
    let (certificate, key) = (tls.certificate.display(), tls.key.display());
    format!("tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}")
}

/// A new signing key: as PEM, and the path of its file.
fn create_key(folder: &Path) -> (String, String) {
    let (pem, path) = (Signer::new_key(), folder.join("auth.pem"));
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(pem.as_bytes()))
        .expect("the key file");
    (pem, path.display().to_string())
}

fn environment(
    config: &StackConfig,
    database: &Database,
    nats: &Nats,
    key_file: &str,
) -> Vec<(String, String)> {
    let own = [
        ("DATABASE_URL", database.url()),
        ("WRITE_DATABASE_URL", database.url_as(Role::WriteApi)),
        ("PROJECTOR_DATABASE_URL", database.url_as(Role::Projector)),
        ("READ_DATABASE_URL", database.url_as(Role::ReadApi)),
        ("NATS_URL", nats.operator_url()),
        ("AUTH_KEY_FILE", key_file.to_owned()),
        ("CURSOR_KEY", "5e".repeat(32)),
        // Nothing is in front of the services.
        ("SHUTDOWN_DRAIN", "0".to_owned()),
        // Tests send more than people do.
        ("QUOTAS", "off".to_owned()),
        ("FEED_DEPTH", config.feed_depth.to_string()),
        (
            "FANOUT_MAX_FOLLOWERS",
            config.fanout_max_followers.to_string(),
        ),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    own.into_iter()
        .chain(config.environment.iter().cloned())
        .collect()
}

fn migrate(program: &Path, environment: &[(String, String)]) {
    let done = process::run(program, &["migrate"], environment);
    assert!(
        done.status.success(),
        "write-api migrate: {}",
        String::from_utf8_lossy(&[done.stdout, done.stderr].concat())
    );
}

/// The base URLs of a service, for clients and for operators.
struct Urls {
    public: String,
    admin: String,
}

/// Starts a service on ports of its own.
fn launch_service(
    (name, program): (&str, &Path),
    index: usize,
    mut environment: Vec<(String, String)>,
    folder: &Path,
) -> (Process, Urls) {
    let listen = match name {
        "write-api" => "WRITE_LISTEN",
        "projector" => "PROJECTOR_LISTEN",
        _ => "READ_LISTEN",
    };
    let [address, admin] = [(); 2].map(|()| format!("127.0.0.1:{}", port::unused()));
    environment.push((listen.to_owned(), address.clone()));
    environment.push(("ADMIN_LISTEN".to_owned(), admin.clone()));
    let mut process = Process::new(&format!("{name}-{index}"), program, folder)
        .environment(environment)
        .health(format!("http://{admin}/health/ready"));
    process.launch();
    let urls = Urls {
        public: format!("http://{address}"),
        admin: format!("http://{admin}"),
    };
    (process, urls)
}
