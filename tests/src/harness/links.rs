//! What lies between one service and its servers.

use std::net::SocketAddr;

use crate::proxy::{Mode, Proxy};

/// One service's ways to PostgreSQL and to NATS.
pub struct Links {
    pub postgres: Proxy,
    pub nats: Proxy,
}

impl Links {
    pub async fn start(postgres: SocketAddr, nats: SocketAddr) -> Self {
        Self {
            postgres: Proxy::start(postgres).await,
            nats: Proxy::start(nats).await,
        }
    }

    pub fn heal(&self) {
        self.postgres.set(Mode::Open);
        self.nats.set(Mode::Open);
    }

    /// The same settings, with the servers behind these links in place of the servers themselves.
    pub fn through(&self, environment: &[(String, String)]) -> Vec<(String, String)> {
        let through = |name: &str, value: &str| {
            let proxy = match name {
                "WRITE_DATABASE_URL" | "PROJECTOR_DATABASE_URL" | "READ_DATABASE_URL" => {
                    &self.postgres
                }
                "NATS_URL" => &self.nats,
                _ => return value.to_owned(),
            };
            let mut url: reqwest::Url = value.parse().expect("a URL");
            url.set_port(Some(proxy.address.port()))
                .expect("a URL with a host");
            url.to_string()
        };
        environment
            .iter()
            .map(|(name, value)| (name.clone(), through(name, value)))
            .collect()
    }
}
