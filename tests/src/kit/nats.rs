//! A nats-server of a test's own.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{Process, Role, TempFolder, port, settings};

/// Of all users of `deploy/nats-users.conf`.
const PASSWORD: &str = "test";

/// Keeps its address over restarts.
pub struct Nats {
    pub process: Process,
    pub address: SocketAddr,
    /// Where JetStream stores its messages.
    store: PathBuf,
    _folder: Option<TempFolder>,
}

impl Nats {
    /// With JetStream, running.
    pub async fn start() -> Self {
        Self::started(Self::absent()).await
    }

    /// Without JetStream, running.
    pub async fn without_jetstream() -> Self {
        let folder = TempFolder::new();
        let nats = Self::new(folder.path(), false, "");
        Self::started(nats.owning(folder)).await
    }

    /// With JetStream and these lines in its configuration file, running.
    pub async fn start_with_config(config: &str) -> Self {
        let folder = TempFolder::new();
        let nats = Self::new(folder.path(), true, config);
        Self::started(nats.owning(folder)).await
    }

    /// With JetStream, not running yet: [`Nats::launch`].
    pub fn absent() -> Self {
        let folder = TempFolder::new();
        Self::new(folder.path(), true, "").owning(folder)
    }

    /// With JetStream and the users of `deploy/nats-users.conf`, its files in a folder of the caller's, not running yet.
    /// `config` are further lines of its configuration file.
    pub fn with_users(folder: &Path, config: &str) -> Self {
        let users = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats-users.conf");
        let users = fs::read_to_string(users).expect("the users");
        let mut nats = Self::new(folder, true, &format!("{config}\n{users}"));
        let passwords = ["WRITE", "PROJECTOR", "READ", "OPERATOR"].map(|user| {
            (
                format!("FEEDMILL_NATS_{user}_PASSWORD"),
                PASSWORD.to_owned(),
            )
        });
        nats.process = nats.process.environment(passwords.to_vec());
        nats
    }

    fn new(folder: &Path, jetstream: bool, config: &str) -> Self {
        let address: SocketAddr = ([127, 0, 0, 1], port::unused()).into();
        let (port, monitor) = (address.port().to_string(), port::unused().to_string());
        let (store, file) = (folder.join("jetstream"), folder.join("nats.conf"));
        fs::write(&file, config).expect("the configuration file");
        let (config, storage) = (file.display().to_string(), store.display().to_string());
        let mut arguments = vec![
            "-c",
            &config,
            "-a",
            "127.0.0.1",
            "-p",
            &port,
            "-m",
            &monitor,
        ];
        if jetstream {
            arguments.extend(["-js", "-sd", &storage]);
        }
        let process = Process::new("nats-server", &settings::nats_server(), folder)
            .arguments(&arguments)
            .health(format!("http://127.0.0.1:{monitor}/healthz"));
        Self {
            process,
            address,
            store,
            _folder: None,
        }
    }

    fn owning(self, folder: TempFolder) -> Self {
        Self {
            _folder: Some(folder),
            ..self
        }
    }

    async fn started(mut nats: Self) -> Self {
        nats.launch().await;
        nats
    }

    /// Starts it where it does not run, at the same address, and waits until it is ready.
    pub async fn launch(&mut self) {
        self.process.launch();
        self.process.ready().await;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGKILL, then starts it again.
    pub async fn restart(&mut self) {
        self.process.restart().await;
    }

    /// Removes everything that JetStream has stored. The server must not be running.
    pub fn wipe(&self) {
        assert!(self.process.pid().is_none(), "nats-server is running");
        fs::remove_dir_all(&self.store).ok();
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// With [`Nats::with_users`]: the URL for a service.
    pub fn url_as(&self, role: Role) -> String {
        format!("nats://{}:{PASSWORD}@{}", role.name(), self.address)
    }

    /// With [`Nats::with_users`]: the URL for an operator.
    pub fn operator_url(&self) -> String {
        format!("nats://feedmill_operator:{PASSWORD}@{}", self.address)
    }

    /// A client, which connects in the background if the server is absent.
    pub async fn client(&self) -> async_nats::Client {
        let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
        let client = options.connect(self.url()).await;
        client.expect("a NATS client")
    }
}

/// A client with the user and password in the URL.
pub async fn connect(url: &str) -> Result<async_nats::Client, async_nats::ConnectError> {
    let parsed: reqwest::Url = url.parse().expect("a URL of NATS");
    let options = async_nats::ConnectOptions::new();
    let options = match parsed.password() {
        Some(password) => {
            options.user_and_password(parsed.username().to_owned(), password.to_owned())
        }
        None => options,
    };
    options.connect(url).await
}
