//! The faults.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Postgres,
    Nats,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL, then a new start.
    Kill,
    /// SIGSTOP, then SIGCONT.
    Pause,
    /// SIGTERM, then a new start.
    Restart,
    /// The connections to a server are closed, and new ones fail.
    Cut(Server),
    /// The connections to a server stay open, but nothing passes for a while.
    Hold(Server),
    /// Everything from and to a server is delayed.
    Slow(Server, Duration),
    /// NATS is killed, and everything that JetStream stored removed.
    Wipe,
    /// A message is deleted from the stream.
    DeleteMessage,
    /// A rebuild starts, and may be killed.
    Rebuild,
}

impl Fault {
    /// A random fault of a service.
    pub fn of_service(rng: &mut StdRng) -> Self {
        let server = if rng.gen_bool(0.5) {
            Server::Postgres
        } else {
            Server::Nats
        };
        match rng.gen_range(0..7) {
            0 | 1 => Self::Kill,
            2 => Self::Pause,
            3 => Self::Restart,
            4 => Self::Cut(server),
            5 => Self::Hold(server),
            _ => Self::Slow(server, Duration::from_millis(rng.gen_range(5..150))),
        }
    }

    /// A random fault of PostgreSQL.
    pub fn of_postgres(rng: &mut StdRng) -> Self {
        [Self::Kill, Self::Kill, Self::Pause, Self::Restart][rng.gen_range(0..4)]
    }

    /// A random fault of nats-server.
    pub fn of_nats(rng: &mut StdRng) -> Self {
        let all = [
            Self::Kill,
            Self::Kill,
            Self::Pause,
            Self::Restart,
            Self::Wipe,
            Self::Wipe,
        ];
        all[rng.gen_range(0..all.len())]
    }
}
