//! This process among the others: which partitions of each projection are its own.
//!
//! Every instance writes a heartbeat into the books twice a second, reads who else lives, and shares the
//! partitions out by [`share`]. Nobody assigns anything. A core NATS message makes the others look at once when
//! one comes or goes; without it they look soon. For a moment two may have the same partition: the
//! checkpoint's compare-and-set lets one of them win, and the other reads it again.

mod books;
mod lease;
mod share;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use async_nats::{Client, connection::State};
use feedmill_events::{Partition, subject};
use futures::StreamExt as _;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::books::Member;
pub use self::{
    lease::{LEASE, Lease},
    share::{owner, share},
};
use crate::{metrics as names, projection::Definition, store};

/// Between two heartbeats. Pauses, and without NATS joins and leaves, are seen so late at most.
const BEAT: Duration = Duration::from_millis(500);
/// PostgreSQL is taken for gone when it does not answer for so long; then the connection is made anew. As long as the
/// lease: what swallows a heartbeat may have swallowed a worker's statement as well, and then that is given up too.
const ANSWER_WITHIN: Duration = LEASE;
/// How long telling the others may take at the end.
const TELL_WITHIN: Duration = Duration::from_millis(500);

/// What an instance is to do for one projection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// The partitions that are its own.
    pub owned: BTreeSet<Partition>,
    /// Those of them that an operator has paused.
    pub paused: BTreeSet<Partition>,
}

impl Orders {
    /// Everything, for an instance that is alone.
    pub fn everything() -> Self {
        Self {
            owned: Partition::all().collect(),
            paused: BTreeSet::new(),
        }
    }

    /// The partitions that are to move.
    pub fn moving(&self) -> BTreeSet<Partition> {
        &self.owned - &self.paused
    }
}

/// This process among the others.
pub struct Instance {
    member: Member,
    options: PgConnectOptions,
    /// Its own, so that no pool's queue delays a heartbeat. None after an error.
    connection: Option<PgConnection>,
    nats: Client,
    lease: Lease,
    orders: BTreeMap<&'static str, watch::Sender<Orders>>,
    /// Instances at the last look, by projection; none before the first.
    others: Option<Vec<Uuid>>,
}

impl Instance {
    /// Errors: a URL that is none.
    pub fn new(url: &str, projections: &[&'static Definition], nats: Client) -> sqlx::Result<Self> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = Some(host.trim()).filter(|host| !host.is_empty());
        Ok(Self {
            member: Member {
                id: Uuid::new_v4(),
                name: format!("{}:{}", host.unwrap_or("unknown"), std::process::id()),
                projections: projections.iter().map(|p| p.name().to_owned()).collect(),
            },
            // What a crash of the server takes away is there again half a second later, so no heartbeat
            // waits for a busy disk.
            options: store::books(url)?.options([("synchronous_commit", "off")]),
            connection: None,
            nats,
            lease: Lease::default(),
            orders: projections
                .iter()
                .map(|p| (p.name(), watch::Sender::default()))
                .collect(),
            others: None,
        })
    }

    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// What there is to do for a projection, as it changes. Nothing until the first heartbeat.
    pub fn orders(&self, projection: &Definition) -> watch::Receiver<Orders> {
        self.orders.get(projection.name()).map_or_else(
            || watch::Sender::default().subscribe(),
            watch::Sender::subscribe,
        )
    }

    /// Is a member until `stop`, and then leaves at once. To be stopped after the workers.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changed = None;
        let mut failing = false;
        loop {
            if changed.is_none() {
                changed = self.nats.subscribe(subject::PROJECTORS).await.ok();
            }
            // Says so if this process was stopped for long.
            let was_away = self.lease.check().is_err();
            match self.beat().await {
                Ok(joined) => {
                    failing = false;
                    if joined || was_away {
                        self.tell().await;
                    }
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "no heartbeat: if this lasts, others take this instance's partitions");
                    }
                    (self.connection, failing) = (None, true);
                }
            }
            let heard = async {
                match &mut changed {
                    Some(subscriber) => subscriber.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(BEAT) => {}
                heard = heard => if heard.is_none() {
                    changed = None;
                    tokio::time::sleep(BEAT).await;
                },
            }
        }
        self.leave().await;
    }

    /// Renews the heartbeat and shares out anew. Says whether this was the first.
    async fn beat(&mut self) -> sqlx::Result<bool> {
        let sent = Instant::now();
        let answer = async {
            let db = match &mut self.connection {
                Some(connection) => connection,
                None => self.connection.insert(self.options.connect().await?),
            };
            books::beat(&self.member, db).await?;
            let living = books::living(db).await?;
            let pauses = books::pauses(db).await?;
            books::see_heads(db).await?;
            Ok::<_, sqlx::Error>((living, pauses))
        };
        let answer = timeout(ANSWER_WITHIN, answer).await;
        let (living, pauses) = answer.map_err(|_| sqlx::Error::PoolTimedOut)??;
        let first = self.others.is_none();
        self.take_share(&living, &pauses);
        // After the orders, so that no worker writes by old ones under a new lease.
        self.lease.renew(sent);
        Ok(first)
    }

    fn take_share(&mut self, living: &[Member], pauses: &BTreeSet<books::Pause>) {
        let everyone: Vec<Uuid> = living.iter().map(|member| member.id).collect();
        let moved = self.others.as_ref() != Some(&everyone);
        metrics::gauge!(names::INSTANCES).set(everyone.len() as f64);
        for (name, sender) in &self.orders {
            let name = *name;
            let those: Vec<Uuid> = living
                .iter()
                .filter(|member| member.projections.iter().any(|p| p == name))
                .map(|member| member.id)
                .collect();
            let paused =
                |partition: Option<Partition>| pauses.contains(&(name.to_owned(), partition));
            let owned = share(name, self.member.id, &those);
            let orders = Orders {
                paused: owned
                    .iter()
                    .copied()
                    .filter(|partition| paused(None) || paused(Some(*partition)))
                    .collect(),
                owned,
            };
            let before = sender.borrow().clone();
            if orders == before {
                continue;
            }
            let gained = (&orders.owned - &before.owned).len();
            if self.others.is_some() {
                metrics::counter!(names::TAKEOVERS, "projection" => name).increment(gained as u64);
            }
            for partition in Partition::all() {
                let has = orders.owned.contains(&partition);
                metrics::gauge!(names::OWNED, "projection" => name, "partition" => partition.to_string())
                    .set(f64::from(u8::from(has)));
            }
            metrics::gauge!(names::PAUSED, "projection" => name).set(orders.paused.len() as f64);
            if moved {
                tracing::info!(
                    projection = name,
                    instances = those.len(),
                    partitions = orders.owned.len(),
                    gained,
                    lost = (&before.owned - &orders.owned).len(),
                    "the partitions are shared out anew"
                );
            }
            sender.send_replace(orders);
        }
        self.others = Some(everyone);
    }

    /// Makes the others look at once.
    async fn tell(&self) {
        if self.nats.connection_state() != State::Connected {
            return;
        }
        let told = async {
            let _ = self.nats.publish(subject::PROJECTORS, "".into()).await;
            let _ = self.nats.flush().await;
        };
        let _ = timeout(TELL_WITHIN, told).await;
    }

    async fn leave(mut self) {
        if let Some(connection) = &mut self.connection {
            let left = timeout(ANSWER_WITHIN, books::leave(self.member.id, connection)).await;
            if !matches!(left, Ok(Ok(()))) {
                tracing::warn!("could not say goodbye: the others will notice in {LEASE:?}");
            }
        }
        self.tell().await;
    }
}
