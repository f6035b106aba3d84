//! What can go wrong.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Postgres,
    Nats,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SIGKILL, and started again.
    Kill,
    /// SIGSTOP, and SIGCONT.
    Pause,
    /// SIGTERM, and started again.
    Restart,
    /// The connections to a server are closed, and it is not to be reached.
    Cut(Server),
    /// Nothing passes, and nobody is told.
    BlackHole(Server),
    /// Everything takes longer.
    Slow(Server, Duration),
    /// NATS is killed and JetStream's folder removed.
    Wipe,
    /// A message is deleted from the stream.
    DeleteMessage,
    /// A rebuild begins, and is killed or not.
    Rebuild,
}

impl Kind {
    /// What may happen to a service.
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
            5 => Self::BlackHole(server),
            _ => Self::Slow(server, Duration::from_millis(rng.gen_range(5..150))),
        }
    }

    /// What may happen to PostgreSQL.
    pub fn of_postgres(rng: &mut StdRng) -> Self {
        [Self::Kill, Self::Kill, Self::Pause, Self::Restart][rng.gen_range(0..4)]
    }

    /// What may happen to nats-server.
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
