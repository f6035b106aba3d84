//! A write-api in the process of the test, and accounts that send commands to it.

use std::{ops::Deref, time::Duration};

use clap::Parser;
use feedmill_service::{Shutdown, Signer, telemetry};
use feedmill_tests::{
    client::Client,
    kit::{Database, Role, TempFolder},
    token::now,
};
use uuid::Uuid;
use write_api::{
    config::{Cli, Config},
    subcommand::Server,
};

/// Nothing listens there. No command needs NATS.
const NO_NATS: &str = "nats://127.0.0.1:9";

/// The settings of a write-api at this URL of a database, with its key in this folder.
pub fn config(database_url: &str, folder: &TempFolder, arguments: &[&str]) -> Config {
    let key = key_file(folder);
    let own = [
        "write-api",
        "--write-listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--write-database-url",
        database_url,
        "--auth-key-file",
        &key,
        "--lanes",
        "2",
    ];
    let nats = ["--nats-url", NO_NATS];
    // A flag is given only once.
    let nats = nats.iter().filter(|_| !arguments.contains(&nats[0]));
    Cli::parse_from(own.iter().chain(nats).chain(arguments)).config
}

fn key_file(folder: &TempFolder) -> String {
    folder.path().join("key.pem").display().to_string()
}

/// A write-api in this process, with its database.
pub struct Api {
    pub database: Database,
    pub folder: TempFolder,
    server: Server,
    shutdown: Shutdown,
    signer: Signer,
}

impl Api {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With further settings.
    pub async fn start_with(arguments: &[&str]) -> Self {
        Self::launch(Database::with_log().await, TempFolder::new(), arguments).await
    }

    async fn launch(database: Database, folder: TempFolder, arguments: &[&str]) -> Self {
        telemetry::install_crypto_provider();
        let config = config(&database.url_as(Role::WriteApi), &folder, arguments);
        let (signer, shutdown) = (config.auth.signer().unwrap(), Shutdown::new());
        let server = Server::start(config, shutdown.clone()).await.unwrap();
        Self {
            database,
            folder,
            server,
            shutdown,
            signer,
        }
    }

    /// Stops it and starts it again, at another address.
    pub async fn restart(self) -> Self {
        self.shutdown.now();
        self.server.join().await.unwrap();
        Self::launch(self.database, self.folder, &[]).await
    }

    pub fn key_file(&self) -> String {
        key_file(&self.folder)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// A client of the listener for operators.
    pub fn admin(&self) -> Client {
        Client::new(&format!("http://{}", self.server.admin_address()), "")
    }

    /// A token for an account, whether or not it exists.
    pub fn token(&self, account: Uuid) -> String {
        let ttl = Duration::from_mins(1);
        self.signer.sign(account, ttl, now()).unwrap()
    }

    /// A client without a token.
    pub fn client(&self) -> Client {
        Client::new(&self.url(), "")
    }

    /// A new account, signed in.
    pub async fn person(&self, handle: &str) -> Person {
        let client = self.client();
        let id = client.create_account(handle, handle).await.expect(201).id();
        let client = client.with_token(&self.token(id));
        Person { id, client }
    }
}

/// An account that sends commands.
pub struct Person {
    pub id: Uuid,
    client: Client,
}

impl Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
