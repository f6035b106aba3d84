//! The addresses, database and key of a running Feedmill: all that a client needs.

use std::{fs, process::Output};

use feedmill_events::PositionKey;
use sqlx::PgPool;
use uuid::Uuid;

use super::{binary, process, secrets::position_key_of, setting};
use crate::{client::Client, token::Signer};

/// A running Feedmill, whoever started it.
#[derive(Clone)]
pub struct Target {
    /// Base URLs of write-api, one for each instance.
    pub write: Vec<String>,
    /// Base URLs of read-api.
    pub read: Vec<String>,
    /// As the owner of the database.
    pub pool: PgPool,
    pub signer: Signer,
    pub position_key: PositionKey,
    /// The settings of its services, for their subcommands.
    pub environment: Vec<(String, String)>,
}

impl Target {
    /// The Feedmill that the environment of this process describes: `.feedmill/env` of `deploy/up`.
    pub async fn attached() -> Self {
        let need = |name: &str| {
            setting(name).unwrap_or_else(|| panic!("{name} is not set: source .feedmill/env first"))
        };
        let scheme = setting("TLS_CERT").map_or("http", |_| "https");
        let url = |name: &str, default: &str| {
            let address = setting(name).unwrap_or_else(|| default.to_owned());
            format!("{scheme}://{address}")
        };
        let write = url("WRITE_LISTEN", "127.0.0.1:8080");
        let names = [
            "DATABASE_URL",
            "WRITE_DATABASE_URL",
            "NATS_URL",
            "AUTH_KEY_FILE",
            "AUTH_KEY",
            "AUTH_ISSUER",
            "AUTH_AUDIENCE",
            "WRITE_LISTEN",
        ];
        let environment = names
            .iter()
            .filter_map(|n| Some(((*n).to_owned(), setting(n)?)))
            .collect();
        let pem = setting("AUTH_KEY")
            .unwrap_or_else(|| fs::read_to_string(need("AUTH_KEY_FILE")).expect("AUTH_KEY_FILE"));
        let pool = PgPool::connect_lazy(&need("DATABASE_URL")).expect("DATABASE_URL");
        Self {
            read: vec![url("READ_LISTEN", "127.0.0.1:8081")],
            position_key: position_key_of(&pool).await,
            pool,
            signer: Signer::new(&pem, &write).await,
            write: vec![write],
            environment,
        }
    }

    /// The URL of its NATS server.
    pub fn nats_url(&self) -> &str {
        let found = self.environment.iter().find(|(name, _)| name == "NATS_URL");
        found.map_or("", |(_, url)| url)
    }

    /// A client without a token, of the first instances.
    pub fn client(&self) -> Client {
        self.client_at(0)
    }

    /// A client without a token, of the instances with this index, modulo their number.
    pub fn client_at(&self, index: usize) -> Client {
        let at = |urls: &[String]| urls.get(index % urls.len().max(1)).cloned();
        let client = Client::new(
            &at(&self.write).unwrap_or_default(),
            &at(&self.read).unwrap_or_default(),
        );
        client.with_position_key(self.position_key.clone())
    }

    /// A client with a token of this account.
    pub fn client_of(&self, account: Uuid) -> Client {
        self.client().with_token(&self.signer.token(account))
    }

    /// A new account, and its client, whose reads wait until it is projected.
    pub async fn person(&self, handle: &str) -> (Uuid, Client) {
        let client = self.client();
        let id = client.create_account(handle, handle).await.expect(201).id();
        (id, client.with_token(&self.signer.token(id)))
    }

    /// Runs a subcommand of `write-api` or `projector` until it exits.
    pub fn run(&self, service: &str, arguments: &[&str]) -> Output {
        self.run_measured(service, arguments).0
    }

    /// The same; also returns its peak resident memory in bytes.
    pub fn run_measured(&self, service: &str, arguments: &[&str]) -> (Output, u64) {
        process::run_measured(&binary::service(service), arguments, &self.environment)
    }
}
