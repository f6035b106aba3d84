//! The relay: publishes the log to JetStream, in order, without delaying commands.
//!
//! One instance of write-api leads, by an advisory lock of PostgreSQL ([`lease`]). The others tell it on core NATS when they
//! have committed. The leader asks the stream for its end ([`stream`]), removes from it what the log does not have ([`fork`]),
//! and publishes from there ([`leader`]), with up to 2,000
//! messages in flight ([`window`]). The lanes of its own instance hand their entries over ([`commit_notifier`]); it reads all
//! other entries from the log.
//!
//! Every message has two preconditions, and JetStream refuses a message that does not meet them:
//!
//! - The previous event of its partition is the last message of that partition. If that event was published immediately
//!   before, it must be the last message of the stream, by its id (`Nats-Expected-Last-Msg-Id`). If messages of other
//!   partitions came between, the relay waits for its acknowledgement and then expects the sequence number from it
//!   (`Nats-Expected-Last-Subject-Sequence`).
//! - The sequence number that the stream has reached (`Nats-Expected-Last-Sequence`). So if a message is lost, all that follow
//!   it are refused.
//!
//! The second condition alone is not enough, because two attempts at publishing can overlap: JetStream may accept messages
//! that were sent before it hung, or a replaced leader may wake up and send its remaining messages, after this leader has asked
//! for the end of the stream. The sequence number is then ahead of what this leader expects. Its first messages are refused,
//! but a later one, whose number the stream has reached by then, would be accepted without the ones before it. By the first
//! condition, an accepted message always continues its partition, whoever sent it and whenever. After any failure the leader
//! asks for the end of the stream again, and finds the messages that were stored without an acknowledgement.

mod context;
mod fork;
mod leader;
mod lease;
mod stream;
mod window;

use std::time::Duration;

use feedmill_events::{PartitionSet, subject};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::context::Relay;
use self::lease::Lease;
use crate::commit_notifier;

/// How often a follower tries to acquire the lease. PostgreSQL ends the session of a silent leader after four seconds, so
/// a leader that fails is replaced within five.
const ACQUIRE_INTERVAL: Duration = Duration::from_secs(1);

impl Relay {
    /// Runs until `stop`. If that comes after the last commit, the leader still publishes the whole log, unless JetStream
    /// takes longer than three seconds; the next leader publishes the rest.
    pub async fn run(self, stop: CancellationToken) {
        // From the start, so that a dashboard can distinguish "no leader" from "no data".
        metrics::gauge!("relay_leader").set(0.0);
        metrics::gauge!("relay_lag_events").set(0.0);
        metrics::counter!(window::REFUSED).increment(0);
        while !stop.is_cancelled() {
            let Some(lease) = self.follow(&stop).await else {
                return;
            };
            info!("relay: this instance leads and publishes the log to JetStream");
            metrics::gauge!("relay_leader").set(1.0);
            let lost = leader::lead(&self, lease, &stop).await;
            metrics::gauge!("relay_leader").set(0.0);
            metrics::gauge!("relay_lag_events").set(0.0);
            if let Err(error) = lost {
                warn!(%error, "relay: lost the connection to PostgreSQL, and so the leadership");
            }
        }
    }

    /// Announces this instance's commits to the leader until it acquires the lease. None if stopped.
    async fn follow(&self, stop: &CancellationToken) -> Option<Lease> {
        let mut candidate = None;
        let mut attempts = tokio::time::interval(ACQUIRE_INTERVAL);
        attempts.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                committed = self.notifier.next() => self.announce(committed.partitions()).await,
                _ = attempts.tick() => match lease::acquire(&self.options, candidate.take()).await {
                    Ok(Ok(lease)) => return Some(lease),
                    Ok(Err(connection)) => candidate = Some(connection),
                    Err(error) => warn!(%error, "relay: cannot connect to PostgreSQL, retrying in 1s"),
                },
            }
        }
    }

    /// Announces commits to the leader. The message is lost if NATS is down; the leader polls the log every second anyway.
    async fn announce(&self, partitions: PartitionSet) {
        let message = commit_notifier::to_bytes(partitions).to_vec();
        let published = self.nats.publish(subject::APPENDED, message.into());
        timeout(Duration::from_millis(100), published).await.ok();
        // A pause, so that a burst of commits is one announcement.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
