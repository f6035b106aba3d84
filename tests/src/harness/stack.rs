//! What a client needs to know of a running Feedmill, whoever runs it.

use std::{fs, path::Path, process::Output};

use sqlx::PgPool;
use uuid::Uuid;

use super::{process, setting, settings};
use crate::{client::Client, token::Signer};

#[derive(Clone)]
pub struct Stack {
    /// Base URLs, one an instance.
    pub write: Vec<String>,
    pub read: Vec<String>,
    /// As the owner of the database.
    pub pool: PgPool,
    pub signer: Signer,
    /// For the write-api's subcommands.
    pub environment: Vec<(String, String)>,
}

impl Stack {
    /// The stack that this process' environment describes: `.feedmill/env` of `deploy/up`.
    pub async fn attached() -> Self {
        let need = |name: &str| {
            setting(name).unwrap_or_else(|| {
                panic!("{name} is not set: source the stack's .feedmill/env first")
            })
        };
        let url = |name: &str, usual: &str| {
            format!(
                "http://{}",
                setting(name).unwrap_or_else(|| usual.to_owned())
            )
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
        Self {
            read: vec![url("READ_LISTEN", "127.0.0.1:8081")],
            pool: PgPool::connect_lazy(&need("DATABASE_URL")).expect("DATABASE_URL"),
            signer: Signer::new(&pem, &write).await,
            write: vec![write],
            environment,
        }
    }

    /// Where its NATS is.
    pub fn nats_url(&self) -> &str {
        let found = self.environment.iter().find(|(name, _)| name == "NATS_URL");
        found.map_or("", |(_, url)| url)
    }

    /// A client without a token, at the first instances.
    pub fn client(&self) -> Client {
        self.client_at(0)
    }

    /// A client without a token, at the instances of this index (counted round), if there are any.
    pub fn client_at(&self, index: usize) -> Client {
        let at = |urls: &[String]| urls.get(index % urls.len().max(1)).cloned();
        Client::new(
            &at(&self.write).unwrap_or_default(),
            &at(&self.read).unwrap_or_default(),
        )
    }

    /// A client that is this account.
    pub fn client_of(&self, account: Uuid) -> Client {
        self.client().with_token(&self.signer.token(account))
    }

    /// Runs a subcommand of write-api to its end; returns also its peak resident memory in bytes.
    pub fn write_api(&self, arguments: &[&str]) -> (Output, u64) {
        process::run_measured(
            &settings::service("write-api"),
            arguments,
            &self.environment,
        )
    }
}

/// The peak resident memory of every running service of these process ids (or, with none, of every one on
/// this machine): name and bytes.
pub fn services_memory(pids: Option<&[(String, u32)]>) -> Vec<(String, u64)> {
    let Some(pids) = pids else {
        let known = ["write-api", "projector", "read-api"];
        let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
        return folders
            .filter_map(|folder| {
                let name = fs::read_to_string(folder.path().join("comm"))
                    .ok()?
                    .trim()
                    .to_owned();
                known.contains(&name.as_str()).then_some(())?;
                Some((name, peak_memory(&folder.path())?))
            })
            .collect();
    };
    pids.iter()
        .filter_map(|(name, pid)| {
            Some((
                name.clone(),
                peak_memory(&Path::new("/proc").join(pid.to_string()))?,
            ))
        })
        .collect()
}

/// `VmHWM` of a process, in bytes.
pub(super) fn peak_memory(process: &Path) -> Option<u64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
