//! How far the projections are, as far as this process knows, and waiting for them.
//!
//! What is known comes from the projector's announcements on core NATS (`hear`), which also tell what changed.
//! They may get lost, or NATS be away; so while somebody waits, one task reads the checkpoints, for however many
//! that are. Who asks for what is known to be reached waits for nothing, and nothing is read.

mod hear;
mod known;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use feedmill_events::Positions;
pub use feedmill_events::Projection;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use self::known::Table;
use crate::changes::Changes;

/// Even a client that will not wait gets one look at the checkpoints.
const LEAST_WAIT: Duration = Duration::from_millis(200);

/// Cheap to clone; clones share what they know.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    known: Table,
    changes: Changes,
    /// Whether announcements come in at all, and how often that has ended.
    listening: AtomicBool,
    interruptions: AtomicUsize,
    /// Marked whenever something new is known.
    news: watch::Sender<()>,
    waiting: AtomicUsize,
    look_now: Notify,
}

impl Progress {
    /// What changes is noted in `changes`.
    pub fn new(changes: Changes) -> Self {
        Self(Arc::new(Inner {
            known: Table::default(),
            changes,
            listening: AtomicBool::new(false),
            interruptions: AtomicUsize::new(0),
            news: watch::Sender::new(()),
            waiting: AtomicUsize::new(0),
            look_now: Notify::new(),
        }))
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
        let known = self.0.known.lock();
        projections.iter().all(|projection| {
            let known = &known[*projection as usize];
            (wanted.iter()).all(|(partition, seq)| known.reached(partition) >= seq)
        })
    }

    /// Whether all that `projections` changed up to `wanted` has been noted in [`Changes`]: only then does an
    /// answer that is good by them contain it.
    pub(crate) fn heard(&self, wanted: &Positions, projections: &[Projection]) -> bool {
        let known = self.0.known.lock();
        self.0.changes.hearing()
            && projections.iter().all(|projection| {
                let known = &known[*projection as usize];
                (wanted.iter()).all(|(partition, seq)| known.heard(partition) >= seq)
            })
    }

    async fn somebody_waits(&self) {
        while self.0.waiting.load(Ordering::Relaxed) == 0 {
            self.0.look_now.notified().await;
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
    use feedmill_events::{Advance, Announcement, Changed, Partition};

    use super::*;
    use crate::query::checkpoint::Checkpoint;

    fn checkpoint(generation: i32, seq: i64) -> Checkpoint {
        let partition = Partition::try_from(3u8).unwrap();
        Checkpoint {
            projection: "feed".to_owned(),
            generation,
            partition,
            seq,
        }
    }

    fn say(progress: &Progress, generation: i32, moved: Vec<Advance>, changed: Changed) {
        let announcement = Announcement {
            projection: Projection::Feed,
            generation,
            progress: moved,
            changed,
        };
        progress.hear(&announcement.encode().unwrap());
    }

    fn announce(progress: &Progress, generation: i32, seq: i64) {
        let moved = Advance {
            partition: Partition::try_from(3u8).unwrap(),
            from: seq - 1,
            to: seq,
        };
        say(progress, generation, vec![moved], Changed::Tags(vec![]));
    }

    fn go_live(progress: &Progress, generation: i32, equals: i32) {
        say(progress, generation, vec![], Changed::Generation { equals });
    }

    fn progress() -> Progress {
        Progress::new(Changes::default())
    }

    /// That listens, and has looked.
    fn hearing() -> Progress {
        let progress = progress();
        progress.0.listening.store(true, Ordering::SeqCst);
        look(&progress, 1, 4);
        progress
    }

    fn look(progress: &Progress, generation: i32, seq: i64) {
        let interruptions = progress.interruptions();
        progress.learn(&[checkpoint(generation, seq)], interruptions);
    }

    fn reached(progress: &Progress, position: &str) -> bool {
        progress.has_reached(&position.parse().unwrap(), &[Projection::Feed])
    }

    fn heard(progress: &Progress, position: &str) -> bool {
        progress.heard(&position.parse().unwrap(), &[Projection::Feed])
    }

    #[test]
    fn announcements_count_once_their_generation_is_known_to_be_live() {
        let progress = progress();
        announce(&progress, 1, 5);
        assert!(!reached(&progress, "3:1"), "nothing is known yet");
        look(&progress, 1, 4);
        announce(&progress, 2, 9);
        assert!(
            reached(&progress, "3:4") && !reached(&progress, "3:5"),
            "a rebuild is not live"
        );
        announce(&progress, 1, 5);
        assert!(reached(&progress, "3:5") && !reached(&progress, "3:5,4:1"));
        assert!(!heard(&progress, "3:1"), "nobody listened");
        progress.hear(b"no announcement");
    }

    #[test]
    fn nothing_sinks_within_a_generation_and_another_begins_anew() {
        let progress = progress();
        look(&progress, 1, 4);
        announce(&progress, 1, 9);
        look(&progress, 1, 5);
        assert!(
            reached(&progress, "3:9"),
            "the announcement was faster than the look"
        );
        look(&progress, 2, 5);
        assert!(!reached(&progress, "3:9") && reached(&progress, "3:5"));
    }

    #[test]
    fn what_goes_on_changes_nothing_and_what_does_not_changes_everything() {
        let progress = hearing();
        let changes = &progress.0.changes;
        let began = changes.now();
        announce(&progress, 1, 5);
        look(&progress, 1, 6);
        announce(&progress, 1, 6);
        look(&progress, 1, 6);
        look(&progress, 1, 6);
        assert!(heard(&progress, "3:6") && changes.unchanged_since(began, &[]));
        announce(&progress, 1, 8);
        assert!(heard(&progress, "3:8") && !changes.unchanged_since(began, &[]));
    }

    #[test]
    fn the_second_look_notices_an_announcement_that_never_came() {
        let progress = hearing();
        let changes = &progress.0.changes;
        let began = changes.now();
        look(&progress, 1, 7);
        assert!(changes.unchanged_since(began, &[]), "it may be on its way");
        assert!(reached(&progress, "3:7") && !heard(&progress, "3:7"));
        look(&progress, 1, 7);
        assert!(heard(&progress, "3:7") && !changes.unchanged_since(began, &[]));
    }

    #[test]
    fn another_generation_changes_everything() {
        let progress = hearing();
        let changes = &progress.0.changes;
        let began = changes.now();
        look(&progress, 2, 4);
        assert!(heard(&progress, "3:4") && !changes.unchanged_since(began, &[]));
        let began = changes.now();
        announce(&progress, 2, 5);
        assert!(heard(&progress, "3:5") && changes.unchanged_since(began, &[]));
    }

    #[test]
    fn a_generation_that_equals_the_one_before_changes_nothing() {
        let progress = hearing();
        let changes = &progress.0.changes;
        let began = changes.now();
        go_live(&progress, 2, 1);
        announce(&progress, 2, 5);
        look(&progress, 2, 5);
        look(&progress, 2, 5);
        assert!(heard(&progress, "3:5") && changes.unchanged_since(began, &[]));
    }

    #[test]
    fn that_a_generation_equals_another_one_says_nothing() {
        let progress = hearing();
        let changes = &progress.0.changes;
        let began = changes.now();
        go_live(&progress, 3, 2);
        announce(&progress, 3, 5);
        assert!(!heard(&progress, "3:5"));
        look(&progress, 3, 5);
        assert!(heard(&progress, "3:5") && !changes.unchanged_since(began, &[]));
    }

    #[test]
    fn what_came_before_it_was_heard_of_that_a_generation_equals_is_missed() {
        let progress = hearing();
        let changes = &progress.0.changes;
        let began = changes.now();
        announce(&progress, 2, 5);
        go_live(&progress, 2, 1);
        assert!(!heard(&progress, "3:5"));
        announce(&progress, 2, 6);
        assert!(heard(&progress, "3:6") && !changes.unchanged_since(began, &[]));
    }

    #[test]
    fn a_look_that_began_before_an_interruption_does_not_end_it() {
        let progress = progress();
        progress.0.listening.store(true, Ordering::SeqCst);
        let before = progress.interruptions();
        progress.0.interruptions.fetch_add(1, Ordering::SeqCst);
        progress.learn(&[checkpoint(1, 4)], before);
        assert!(!heard(&progress, "3:1"));
        look(&progress, 1, 4);
        assert!(heard(&progress, "3:4"));
    }
}
