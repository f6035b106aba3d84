//! How far the projections are, as far as this process knows.
//!
//! Fed by announcements and by polls of the checkpoints. A request for a position that is known to be applied waits for
//! nothing and reads nothing; while any request waits, one task polls for all of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use feedmill_events::{Announcement, Changed, Positions, Projection};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use super::{
    positions::{LiveGeneration, LiveGenerations},
    tag_versions::TagVersions,
};
use crate::sql::checkpoints::Checkpoint;

/// The least time that a request waits, so that even `Prefer: wait=0` gets one poll of the checkpoints.
const MIN_WAIT: Duration = Duration::from_millis(200);

/// Cheap to clone; clones share the state.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    live: LiveGenerations,
    tag_versions: TagVersions,
    /// Whether announcements are being received, and how often that was interrupted. The tag versions are subscribed
    /// only once a poll has also shown where the announcements continue from.
    receiving: AtomicBool,
    interruptions: AtomicUsize,
    /// Notified when the state changes.
    updates: watch::Sender<()>,
    waiting: AtomicUsize,
    poll_request: Notify,
    polls: AtomicUsize,
}

impl Progress {
    /// Changes are recorded in `tag_versions`.
    pub fn new(tag_versions: TagVersions) -> Self {
        Self(Arc::new(Inner {
            live: LiveGenerations::default(),
            tag_versions,
            receiving: AtomicBool::new(false),
            interruptions: AtomicUsize::new(0),
            updates: watch::Sender::new(()),
            waiting: AtomicUsize::new(0),
            poll_request: Notify::new(),
            polls: AtomicUsize::new(0),
        }))
    }

    pub fn tag_versions(&self) -> &TagVersions {
        &self.0.tag_versions
    }

    /// Waits until all `projections` have applied `positions`; false after `wait`.
    pub async fn wait_for(
        &self,
        positions: &Positions,
        projections: &[Projection],
        wait: Duration,
    ) -> bool {
        let mut updates = self.0.updates.subscribe();
        if self.has_applied(positions, projections) {
            return true;
        }
        let _waiting = WaitingGuard::new(&self.0);
        self.0.poll_request.notify_one();
        let applied = async {
            // The sender lives as long as `self`.
            while updates.changed().await.is_ok() && !self.has_applied(positions, projections) {}
        };
        timeout(wait.max(MIN_WAIT), applied).await.is_ok()
    }

    fn has_applied(&self, positions: &Positions, projections: &[Projection]) -> bool {
        let live = self.0.live.lock();
        projections
            .iter()
            .all(|projection| live[*projection as usize].has_applied(positions))
    }

    /// Whether all changes of `projections` up to `positions` are recorded in the tag versions. Only then does a fresh
    /// cache entry include them.
    pub fn has_recorded(&self, positions: &Positions, projections: &[Projection]) -> bool {
        let live = self.0.live.lock();
        self.0.tag_versions.is_subscribed()
            && projections
                .iter()
                .all(|projection| live[*projection as usize].has_recorded(positions))
    }

    /// Waits until the changes that the tables have now are recorded in the tag versions, so that no cached answer is older; false after
    /// `wait`. While no announcements are received, no answer comes from the cache, and there is nothing to wait for.
    pub async fn catch_up(&self, wait: Duration) -> bool {
        let mut updates = self.0.updates.subscribe();
        let _waiting = WaitingGuard::new(&self.0);
        let polls = || self.0.polls.load(Ordering::SeqCst);
        // The next one may have begun already.
        let first = polls() + 2;
        self.0.poll_request.notify_one();
        let caught_up = async {
            while polls() < first && updates.changed().await.is_ok() {}
            let polled = self.0.live.polled();
            let recorded = || {
                let subscribed = self.0.tag_versions.is_subscribed();
                !subscribed || self.0.live.recorded(&polled)
            };
            while !recorded() && updates.changed().await.is_ok() {}
        };
        timeout(wait, caught_up).await.is_ok()
    }

    /// Returns when a request waits for a position.
    pub(super) async fn poll_requested(&self) {
        while self.0.waiting.load(Ordering::Relaxed) == 0 {
            self.0.poll_request.notified().await;
        }
    }

    /// Announcements are being received from now on.
    pub(super) fn subscribed(&self) {
        self.0.receiving.store(true, Ordering::SeqCst);
    }

    /// Announcements may be lost from now on, until [`subscribed`](Self::subscribed) and a poll after it.
    pub(super) fn subscription_lost(&self) {
        let _live = self.0.live.lock();
        self.0.receiving.store(false, Ordering::SeqCst);
        self.0.interruptions.fetch_add(1, Ordering::SeqCst);
        self.0.tag_versions.set_subscribed(false);
    }

    /// Identifies the current subscription; None while announcements are not received.
    pub(super) fn subscription(&self) -> Option<usize> {
        let receiving = self.0.receiving.load(Ordering::SeqCst);
        receiving.then(|| self.0.interruptions.load(Ordering::SeqCst))
    }

    pub(super) fn apply_announcement(&self, message: &[u8]) {
        let announcement = match Announcement::decode(message) {
            Ok(announcement) => announcement,
            Err(error) => {
                return tracing::warn!(
                    %error,
                    "announcements: cannot decode a message, ignoring it; is the projector of another version?"
                );
            }
        };
        // The changes, whatever generation they are of, are recorded before the position that says so.
        match &announcement.changed {
            Changed::Tags(tags) => self.0.tag_versions.mark_changed(tags),
            Changed::All => self.0.tag_versions.invalidate_all(),
            Changed::Generation { .. } => {}
        }
        let mut live = self.0.live.lock();
        let live = &mut live[announcement.projection as usize];
        // Entries of a generation are valid for an equal one, whose announcements continue. If another generation than
        // `equals` is known, the next poll decides.
        if let Changed::Generation { equals } = announcement.changed
            && live.generation == Some(equals)
        {
            live.generation = Some(announcement.generation);
        }
        // A generation that is not known to be live either is not, or became so a moment ago: the next poll decides.
        if live.generation == Some(announcement.generation) {
            let continues = announcement
                .progress
                .iter()
                .map(|advance| live.advance(*advance))
                .fold(true, |all, one| all & one);
            if !continues && self.0.tag_versions.is_subscribed() {
                self.announcement_lost("a later announcement does not continue from it");
            }
        }
        self.0.updates.send_replace(());
    }

    /// Applies a poll of the checkpoints that began during `subscription`.
    pub(super) fn apply_checkpoints(
        &self,
        checkpoints: &[Checkpoint],
        subscription: Option<usize>,
    ) {
        let mut live = self.0.live.lock();
        let subscribed = self.0.tag_versions.is_subscribed();
        let (mut restart, mut lost) = (!subscribed, false);
        for checkpoint in checkpoints {
            let live = &mut live[checkpoint.projection as usize];
            if live.generation != Some(checkpoint.generation) {
                *live = LiveGeneration::new(Some(checkpoint.generation));
                restart = true;
            }
            let state = live.partition(checkpoint.partition);
            // An announcement may have been faster than the poll; a generation never moves back.
            state.applied = state.applied.max(checkpoint.seq);
            // The announcement of a checkpoint may still be on its way, but not since the poll before.
            lost |= state.polled > state.recorded;
            state.polled = checkpoint.seq;
        }
        // Invalidating everything records all changes that were committed before this poll.
        if restart || lost {
            for checkpoint in checkpoints {
                let live = &mut live[checkpoint.projection as usize];
                let state = live.partition(checkpoint.partition);
                state.recorded = state.recorded.max(checkpoint.seq);
            }
            if subscribed {
                self.announcement_lost("the checkpoints are ahead, or a generation went live");
            } else if subscription.is_some() && subscription == self.subscription() {
                self.0.tag_versions.set_subscribed(true);
            }
        }
        drop(live);
        self.0.polls.fetch_add(1, Ordering::SeqCst);
        self.0.updates.send_replace(());
    }

    fn announcement_lost(&self, reason: &str) {
        tracing::debug!(
            reason,
            "announcements: one was lost, invalidating the whole cache"
        );
        self.0.tag_versions.invalidate_all();
    }
}

/// Counts a waiting request until it is dropped.
struct WaitingGuard<'a>(&'a Inner);

impl<'a> WaitingGuard<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.waiting.fetch_add(1, Ordering::Relaxed);
        Self(inner)
    }
}

impl Drop for WaitingGuard<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
