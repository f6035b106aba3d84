//! Proxies between one service and its servers.

use std::net::SocketAddr;

use super::{Mode, Proxy};

/// One service's connections to PostgreSQL and to NATS.
pub struct Routes {
    pub postgres: Proxy,
    pub nats: Proxy,
}

impl Routes {
    pub async fn start(postgres: SocketAddr, nats: SocketAddr) -> Self {
        Self {
            postgres: Proxy::start(postgres).await,
            nats: Proxy::start(nats).await,
        }
    }

    /// Lets everything pass again.
    pub fn heal(&self) {
        self.postgres.set(Mode::Open);
        self.nats.set(Mode::Open);
    }

    /// The same settings, with the URLs of the servers replaced by those of the proxies.
    pub fn through(&self, environment: &[(String, String)]) -> Vec<(String, String)> {
        let through = |name: &str, value: &str| match name {
            "WRITE_DATABASE_URL" | "PROJECTOR_DATABASE_URL" | "READ_DATABASE_URL" => {
                self.postgres.url(value)
            }
            "NATS_URL" => self.nats.url(value),
            _ => value.to_owned(),
        };
        environment
            .iter()
            .map(|(name, value)| (name.clone(), through(name, value)))
            .collect()
    }
}
