//! Clients that give random commands until each has a definite answer, and read back what they have made.

mod client;
mod known;
mod reads;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::task::JoinSet;

use super::wish::Entry;
use crate::harness::World;
use client::Torturer;
use known::Known;

/// What a client did, and what it got.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order of the answers.
    pub entries: Vec<Entry>,
    /// Attempts without a definite answer.
    pub unknown: usize,
    /// Commands that got theirs after such an attempt.
    pub resolved: usize,
    /// Reads that were answered, and those that were told 503 or got no answer.
    pub reads: usize,
    pub reads_refused: usize,
    /// What must never be answered.
    pub wrong: Vec<String>,
}

pub struct Load {
    clients: JoinSet<Report>,
    stopping: Arc<AtomicBool>,
}

impl Load {
    /// Starts it; returns when every client has its accounts.
    pub async fn start(world: &World, seed: u64, clients: usize) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let known = Arc::new(Known::default());
        let mut load = Self {
            clients: JoinSet::new(),
            stopping: Arc::clone(&stopping),
        };
        let mut ready = JoinSet::new();
        for index in 0..clients {
            let (known, stopping) = (Arc::clone(&known), Arc::clone(&stopping));
            let mut client = Torturer::new(world.stack(), seed, index, known, stopping);
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

    /// No new commands; those that were given are repeated until they have an answer.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub async fn reports(self) -> Vec<Report> {
        self.clients.join_all().await
    }
}
