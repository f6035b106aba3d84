//! How far the projections are, as far as this process knows, and waiting for them.
//!
//! What is known comes from the projector's announcements on core NATS. They may get lost, or NATS be away;
//! so while somebody waits, one task reads the checkpoints, for however many that are. Who asks for what is
//! known to be reached waits for nothing, and nothing is read.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, connection::State};
use feedmill_events::{Announcement, PARTITIONS, Partition, Positions, subject};
use feedmill_service::Health;
use futures::StreamExt;
use sqlx::PgPool;
use tokio::{
    sync::{Notify, watch},
    time::{interval, sleep, timeout},
};

use crate::query::checkpoint;

/// Between two looks at the checkpoints while somebody waits; never less.
const LOOK: Duration = Duration::from_millis(30);

/// Between two looks while nobody does: for the health of the database, and a belt to the announcements.
const IDLE_LOOK: Duration = Duration::from_secs(5);

/// Even a client that will not wait gets one look at the checkpoints.
const LEAST_WAIT: Duration = Duration::from_millis(200);

/// A projection that answers are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    Profiles,
    Feed,
    Digest,
    Conversations,
    Notifications,
}

impl Projection {
    const ALL: [Self; 5] = [
        Self::Profiles,
        Self::Feed,
        Self::Digest,
        Self::Conversations,
        Self::Notifications,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Profiles => "profiles",
            Self::Feed => "feed",
            Self::Digest => "digest",
            Self::Conversations => "conversations",
            Self::Notifications => "notifications",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|projection| projection.name() == name)
    }
}

/// What is known of a projection: up to which event each partition of its live generation is applied.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// None until the checkpoints were read.
    generation: Option<i32>,
    seqs: [i64; PARTITIONS as usize],
}

impl Known {
    const NOTHING: Self = Self {
        generation: None,
        seqs: [0; PARTITIONS as usize],
    };

    fn raise(&mut self, partition: Partition, seq: i64) {
        let known = &mut self.seqs[usize::from(partition.number())];
        *known = seq.max(*known);
    }
}

/// Cheap to clone; clones share what they know.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    known: Mutex<[Known; Projection::ALL.len()]>,
    /// Marked whenever something new is known.
    news: watch::Sender<()>,
    waiting: AtomicUsize,
    look_now: Notify,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Inner {
            known: Mutex::new([Known::NOTHING; Projection::ALL.len()]),
            news: watch::Sender::new(()),
            waiting: AtomicUsize::new(0),
            look_now: Notify::new(),
        }))
    }
}

impl Progress {
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until all of `projections` have reached `wanted`, at most for `wait`; false if they have not.
    pub(crate) async fn reach(
        &self,
        wanted: &Positions,
        projections: &[Projection],
        wait: Duration,
    ) -> bool {
        let mut news = self.0.news.subscribe();
        if self.has_reached(wanted, projections) {
            return true;
        }
        let _waiting = Waiting::new(&self.0);
        self.0.look_now.notify_one();
        let reached = async {
            // The sender lives as long as `self`.
            while news.changed().await.is_ok() && !self.has_reached(wanted, projections) {}
        };
        timeout(wait.max(LEAST_WAIT), reached).await.is_ok()
    }

    fn has_reached(&self, wanted: &Positions, projections: &[Projection]) -> bool {
        let known = self.lock();
        projections.iter().all(|projection| {
            let seqs = &known[*projection as usize].seqs;
            wanted
                .iter()
                .all(|(partition, seq)| seqs[usize::from(partition.number())] >= seq)
        })
    }

    /// Hears announcements, for ever.
    pub async fn listen(self, client: Client, health: Health) {
        let mut check = interval(IDLE_LOOK);
        loop {
            match client.subscribe(subject::ALL_ANNOUNCEMENTS).await {
                Ok(mut announcements) => loop {
                    tokio::select! {
                        message = announcements.next() => match message {
                            Some(message) => self.hear(&message.payload),
                            None => break,
                        },
                        _ = check.tick() => health.note("nats", connected(&client)),
                    }
                },
                Err(error) => health.note("nats", Err(error.to_string())),
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    fn hear(&self, message: &[u8]) {
        let announcement = match Announcement::decode(message) {
            Ok(announcement) => announcement,
            Err(error) => return tracing::warn!(%error, "an announcement cannot be read"),
        };
        let Some(projection) = Projection::named(&announcement.projection) else {
            return;
        };
        let mut known = self.lock();
        let known = &mut known[projection as usize];
        // Of another generation than the live one, or of one that has just become it: the checkpoints tell.
        if known.generation != Some(announcement.generation) {
            return;
        }
        for moved in &announcement.progress {
            known.raise(moved.partition, moved.to);
        }
        self.0.news.send_replace(());
    }

    /// Reads the checkpoints, for ever: often while somebody waits, now and then otherwise. Says as well
    /// whether the database answers.
    pub async fn look(self, pool: PgPool, health: Health) {
        loop {
            match checkpoint::live(&pool).await {
                Ok(checkpoints) => {
                    health.set("database", Ok(()));
                    self.learn(&checkpoints);
                }
                Err(error) => health.set("database", Err(error.to_string())),
            }
            sleep(LOOK).await;
            let _ = timeout(IDLE_LOOK, self.somebody_waits()).await;
        }
    }

    async fn somebody_waits(&self) {
        while self.0.waiting.load(Ordering::Relaxed) == 0 {
            self.0.look_now.notified().await;
        }
    }

    /// Takes over what was read. An announcement may have been faster, so within a generation nothing sinks.
    fn learn(&self, checkpoints: &[checkpoint::Checkpoint]) {
        let mut all = self.lock();
        for checkpoint in checkpoints {
            let Some(projection) = Projection::named(&checkpoint.projection) else {
                continue;
            };
            let known = &mut all[projection as usize];
            if known.generation != Some(checkpoint.generation) {
                *known = Known {
                    generation: Some(checkpoint.generation),
                    ..Known::NOTHING
                };
            }
            known.raise(checkpoint.partition, checkpoint.seq);
        }
        self.0.news.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, [Known; Projection::ALL.len()]> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connected(client: &Client) -> Result<(), String> {
    match client.connection_state() {
        State::Connected => Ok(()),
        State::Pending | State::Disconnected => {
            Err("not connected; checkpoints are read instead".to_owned())
        }
    }
}

/// Counts a request that waits, until it is dropped.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.waiting.fetch_add(1, Ordering::Relaxed);
        Self(inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use feedmill_events::{Changed, Moved};

    use super::*;

    fn checkpoint(generation: i32, seq: i64) -> checkpoint::Checkpoint {
        let partition = Partition::try_from(3u8).unwrap();
        checkpoint::Checkpoint {
            projection: "feed".to_owned(),
            generation,
            partition,
            seq,
        }
    }

    fn announce(progress: &Progress, generation: i32, seq: i64) {
        let (projection, partition) = ("feed".to_owned(), Partition::try_from(3u8).unwrap());
        let announcement = Announcement {
            projection,
            generation,
            progress: vec![Moved {
                partition,
                from: seq - 1,
                to: seq,
            }],
            changed: Changed::These(vec![]),
        };
        progress.hear(&announcement.encode().unwrap());
    }

    fn reached(progress: &Progress, position: &str) -> bool {
        progress.has_reached(&position.parse().unwrap(), &[Projection::Feed])
    }

    #[test]
    fn announcements_count_once_their_generation_is_known_to_be_live() {
        let progress = Progress::new();
        announce(&progress, 1, 5);
        assert!(!reached(&progress, "3:1"), "nothing is known yet");
        progress.learn(&[checkpoint(1, 4)]);
        announce(&progress, 2, 9);
        assert!(
            reached(&progress, "3:4") && !reached(&progress, "3:5"),
            "a rebuild is not live"
        );
        announce(&progress, 1, 5);
        assert!(reached(&progress, "3:5") && !reached(&progress, "3:5,4:1"));
        progress.hear(b"no announcement");
    }

    #[test]
    fn nothing_sinks_within_a_generation_and_another_begins_anew() {
        let progress = Progress::new();
        progress.learn(&[checkpoint(1, 4)]);
        announce(&progress, 1, 9);
        progress.learn(&[checkpoint(1, 5)]);
        assert!(
            reached(&progress, "3:9"),
            "the announcement was faster than the look"
        );
        progress.learn(&[checkpoint(2, 5)]);
        assert!(!reached(&progress, "3:9") && reached(&progress, "3:5"));
    }
}
