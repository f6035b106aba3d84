//! The relay: copies the log to JetStream, in order, and never holds up a command.
//!
//! Of all instances of write-api one leads, by an advisory lock of PostgreSQL ([`lease`]); the others tell it
//! on core NATS when they have committed. The leader asks the stream where it ends ([`stream`]) and goes on
//! from there ([`copy`]), with up to 2,000 messages under way ([`window`]). What its own lanes have committed they
//! hand over ([`Appended`]); whatever else is next, or was left out, it reads from the log.
//!
//! Every message says what must be in the stream before it, and JetStream refuses it otherwise:
//!
//! - that the event before it, of the same partition, is that partition's last message. When that event was
//!   published just before, it must be the stream's last message, by its id (`Nats-Expected-Last-Msg-Id`). When
//!   other partitions came in between, the relay waits until it was acknowledged, and then gives the number that
//!   the acknowledgement gave it (`Nats-Expected-Last-Subject-Sequence`).
//! - which number the stream must have reached (`Nats-Expected-Last-Sequence`). So a message that got lost takes
//!   all that follow it down with it.
//!
//! The second alone would not do, because two stretches of publishing can overlap: JetStream may take what was
//! sent to it before it hung, or a leader that was replaced may wake and send the rest, while this leader has
//! asked where the stream ends and publishes from there. Then the number is ahead of what the relay thinks, its
//! first messages are refused, and a later one, whose number the stream has reached by then, would be taken
//! without those before it. By the first, whatever is accepted continues its partition, whoever sent it and
//! whenever. After any failure the leader asks the stream again. What had been stored without our hearing of it is
//! then simply there.

mod copy;
mod lease;
mod stream;
mod window;

use std::{sync::Arc, time::Duration};

use async_nats::Client;
use feedmill_events::{PartitionSet, subject};
use feedmill_service::health::Health;
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::lease::Lease;
use crate::appended::{self, Appended};

/// How often an instance that does not lead tries to. With the time after which PostgreSQL ends a silent
/// leader's session, a leader that is gone is replaced within five seconds.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// What the relay works with.
pub struct Relay {
    /// The relay has a connection of its own.
    pub options: PgConnectOptions,
    pub nats: Client,
    /// Given after each commit what it has appended.
    pub appended: Arc<Appended>,
    pub health: Health,
}

impl Relay {
    /// Runs until `stop`, which should come after the last commit: what is in the log by then is still
    /// published, if JetStream takes it within three seconds. Whatever is left, the next leader publishes.
    pub async fn run(self, stop: CancellationToken) {
        // Both are there from the start, so that a dashboard can tell "nobody leads" from "no data".
        metrics::gauge!("relay_leader").set(0.0);
        metrics::gauge!("relay_lag_events").set(0.0);
        while !stop.is_cancelled() {
            let Some(lease) = self.follow(&stop).await else {
                return;
            };
            info!("this instance copies the log to JetStream now");
            metrics::gauge!("relay_leader").set(1.0);
            let lost = copy::lead(&self, lease, &stop).await;
            metrics::gauge!("relay_leader").set(0.0);
            metrics::gauge!("relay_lag_events").set(0.0);
            if let Err(error) = lost {
                warn!(%error, "this instance does not lead the relay any more: its connection to PostgreSQL is gone");
            }
        }
    }

    /// Tells the leader of this instance's commits until it can lead itself. None: stopped.
    async fn follow(&self, stop: &CancellationToken) -> Option<Lease> {
        let mut candidate = None;
        let mut tries = tokio::time::interval(TRY_EVERY);
        tries.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                news = self.appended.next() => self.announce(news.grown()).await,
                _ = tries.tick() => match lease::acquire(&self.options, candidate.take()).await {
                    Ok(Ok(lease)) => return Some(lease),
                    Ok(Err(connection)) => candidate = Some(connection),
                    Err(error) => warn!(%error, "the relay cannot reach PostgreSQL; it keeps trying"),
                },
            }
        }
    }

    /// Tells whoever leads. Lost if NATS is away; the leader looks every second anyway.
    async fn announce(&self, grown: PartitionSet) {
        let grown = appended::to_bytes(grown).to_vec();
        let said = self.nats.publish(subject::APPENDED, grown.into());
        timeout(Duration::from_millis(100), said).await.ok();
        // A burst of commits is one announcement: the next is not sent before this has passed.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
