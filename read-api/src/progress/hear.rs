//! Hearing what the projector announces, and noticing what was not heard.
//!
//! Core NATS keeps nothing: what is published while the connection is away, or faster than it is taken, is
//! lost. Each announcement says from where it goes on, so the next one tells of a lost one; and of the last one
//! a look at the checkpoints tells. Whatever was lost, everything is then taken as changed.

use std::{sync::atomic::Ordering, time::Duration};

use async_nats::{Client, Subscriber, connection::State};
use feedmill_events::{Announcement, Changed, Projection, subject};
use feedmill_service::{Database, Health};
use futures::StreamExt;
use tokio::time::{interval, sleep, timeout};

use super::{Progress, known::Known};
use crate::query::checkpoint::{self, Checkpoint};

/// Between two looks at the checkpoints while somebody waits; never less.
const LOOK: Duration = Duration::from_millis(30);

/// Between two looks while nobody does. What is announced comes within less.
const IDLE_LOOK: Duration = Duration::from_millis(500);

/// How soon it is noticed that the connection is or was away.
const CHECK: Duration = Duration::from_millis(50);

impl Progress {
    /// Hears announcements, for ever.
    pub async fn listen(self, client: Client, health: Health) {
        loop {
            match client.subscribe(subject::ALL_ANNOUNCEMENTS).await {
                Ok(announcements) => self.listen_to(announcements, &client, &health).await,
                Err(error) => health.note("nats", Err(error.to_string())),
            }
            self.deafen();
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn listen_to(&self, mut announcements: Subscriber, client: &Client, health: &Health) {
        let connects = || client.statistics().connects.load(Ordering::SeqCst);
        let (mut check, mut connection) = (interval(CHECK), None);
        loop {
            tokio::select! {
                biased;
                _ = check.tick() => {
                    let now = is_connected(client).then(connects);
                    if now != connection {
                        connection = now;
                        self.deafen();
                        if connection.is_some() {
                            self.0.listening.store(true, Ordering::SeqCst);
                        }
                    }
                    health.note("nats", connection.map(|_| ()).ok_or_else(|| {
                        "not connected; nothing is answered from memory".to_owned()
                    }));
                }
                message = announcements.next() => match message {
                    Some(message) => self.hear(&message.payload),
                    None => return,
                },
            }
        }
    }

    /// From now on announcements may be missed, until [`Progress::learn`] has found out where they go on.
    fn deafen(&self) {
        let _known = self.0.known.lock();
        self.0.listening.store(false, Ordering::SeqCst);
        self.0.interruptions.fetch_add(1, Ordering::SeqCst);
        self.0.changes.set_hearing(false);
    }

    pub(super) fn hear(&self, message: &[u8]) {
        let announcement = match Announcement::decode(message) {
            Ok(announcement) => announcement,
            Err(error) => return tracing::warn!(%error, "an announcement cannot be read"),
        };
        // First what changed, whatever generation it is of; then that it is known.
        match &announcement.changed {
            Changed::Tags(tags) => self.0.changes.these(tags),
            Changed::All => self.0.changes.everything(),
            Changed::Generation { .. } => {}
        }
        let mut known = self.0.known.lock();
        let known = &mut known[announcement.projection as usize];
        // What is kept of a generation is as good for one that equals it, and goes on with that one's announcements.
        // If another one is known, there will be a look.
        if let Changed::Generation { equals } = announcement.changed
            && known.generation == Some(equals)
        {
            known.generation = Some(announcement.generation);
        }
        // Of another generation than the live one, or of one that has just become it: the checkpoints tell.
        if known.generation == Some(announcement.generation) {
            let continues = announcement.progress.iter().map(|moved| known.hear(*moved));
            if !continues.fold(true, |all, one| all & one) && self.0.changes.hearing() {
                self.missed("an announcement was missed");
            }
        }
        self.0.news.send_replace(());
    }

    /// Reads the checkpoints, for ever: often while somebody waits, now and then otherwise. Says as well
    /// whether the database answers.
    pub async fn look(self, database: Database, health: Health) {
        loop {
            let interruptions = self.interruptions();
            match checkpoint::live(&database).await {
                Ok(checkpoints) => {
                    health.set("database", Ok(()));
                    self.learn(&checkpoints, interruptions);
                }
                Err(error) => health.set("database", Err(error.to_string())),
            }
            sleep(LOOK).await;
            let _ = timeout(IDLE_LOOK, self.somebody_waits()).await;
        }
    }

    /// None while nothing is listened to.
    pub(super) fn interruptions(&self) -> Option<usize> {
        let listening = self.0.listening.load(Ordering::SeqCst);
        listening.then(|| self.0.interruptions.load(Ordering::SeqCst))
    }

    /// Takes over what was read while announcements were listened to, if they were, `interruptions` after the
    /// start.
    pub(super) fn learn(&self, checkpoints: &[Checkpoint], interruptions: Option<usize>) {
        let mut all = self.0.known.lock();
        let hearing = self.0.changes.hearing();
        let (mut anew, mut missed) = (!hearing, false);
        for checkpoint in checkpoints {
            let Ok(projection) = checkpoint.projection.parse::<Projection>() else {
                continue;
            };
            let known = &mut all[projection as usize];
            if known.generation != Some(checkpoint.generation) {
                *known = Known::begun(Some(checkpoint.generation));
                anew = true;
            }
            let place = known.place(checkpoint.partition);
            // An announcement may have been faster, so within a generation nothing sinks.
            place.reached = place.reached.max(checkpoint.seq);
            missed |= place.looked > place.heard;
            place.looked = checkpoint.seq;
        }
        // What was committed before this look cannot be missed by whatever is loaded after it.
        if anew || missed {
            for checkpoint in checkpoints {
                if let Ok(projection) = checkpoint.projection.parse::<Projection>() {
                    let place = all[projection as usize].place(checkpoint.partition);
                    place.heard = place.heard.max(checkpoint.seq);
                }
            }
            if hearing {
                self.missed("a generation has gone live, or an announcement was missed");
            } else if interruptions.is_some() && interruptions == self.interruptions() {
                self.0.changes.set_hearing(true);
            }
        }
        self.0.news.send_replace(());
    }

    fn missed(&self, why: &str) {
        tracing::debug!(why, "everything is taken as changed");
        self.0.changes.everything();
    }
}

fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}
