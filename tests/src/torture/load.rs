//! Clients that send random commands, each until it has a definite answer, and read what they have created.

mod client;
mod operations;
mod reads;
mod report;
mod shared;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::task::JoinSet;

use crate::kit::Target;
use client::LoadClient;
use shared::Shared;

pub use report::Report;

pub struct Load {
    clients: JoinSet<Report>,
    stopping: Arc<AtomicBool>,
}

impl Load {
    /// Starts the clients; returns when each has its accounts.
    pub async fn start(target: &Target, seed: u64, clients: usize) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Shared::default());
        let mut load = Self {
            clients: JoinSet::new(),
            stopping: Arc::clone(&stopping),
        };
        let mut ready = JoinSet::new();
        for index in 0..clients {
            let (shared, stopping) = (Arc::clone(&shared), Arc::clone(&stopping));
            let mut client = LoadClient::new(target, seed, index, shared, stopping);
            ready.spawn(async move {
                client.sign_up().await;
                client
            });
        }
        for client in ready.join_all().await {
            load.clients.spawn(client.work());
        }
        load
    }

    /// No new commands; those in progress are repeated until they have an answer.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Waits until all clients have ended.
    pub async fn reports(self) -> Vec<Report> {
        self.clients.join_all().await
    }
}
