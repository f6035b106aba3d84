//! This process among the other projectors: which partitions of each projection it owns.
//!
//! Every instance writes a heartbeat to the control schema twice a second, reads which other instances are alive, and
//! computes its partitions by rendezvous hashing. There is no coordinator. A core NATS message makes the others look at
//! once when an instance joins or leaves; without it, they notice at their next heartbeat. For a moment two instances may
//! believe that they own the same partition: the checkpoint's compare-and-set lets one of them win, and the other loads
//! the checkpoint again.

mod assignment;
mod lease;
mod members;
mod rendezvous;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use async_nats::{Client, connection::State};
use feedmill_events::{Partition, Projection, subject};
use futures::StreamExt as _;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::members::{Member, Pause};
pub use self::{
    assignment::Assignment,
    lease::{LEASE_DURATION, Lease},
    rendezvous::{owned_partitions, owner},
};
use crate::{connection, metrics as names, projection::Definition};

/// Also the longest time until pauses and, without NATS, joins and leaves are noticed.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);
/// After this, the connection is replaced. As long as the lease: a network that swallows a heartbeat may have swallowed a
/// worker's statement as well, and when the lease expires, that is abandoned too.
const RESPONSE_TIMEOUT: Duration = LEASE_DURATION;
const NOTIFY_TIMEOUT: Duration = Duration::from_millis(500);

pub struct Instance {
    member: Member,
    options: PgConnectOptions,
    /// Its own connection, so that no pool's queue delays a heartbeat. None after an error.
    connection: Option<PgConnection>,
    nats: Client,
    lease: Lease,
    /// By projection.
    assignments: BTreeMap<&'static str, watch::Sender<Assignment>>,
    /// The instances at the last heartbeat. None before the first.
    members: Option<Vec<Uuid>>,
}

impl Instance {
    /// Errors: an invalid database URL.
    pub fn new(url: &str, projections: &[&'static Definition], nats: Client) -> sqlx::Result<Self> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = Some(host.trim()).filter(|host| !host.is_empty());
        Ok(Self {
            member: Member {
                id: Uuid::new_v4(),
                name: format!("{}:{}", host.unwrap_or("unknown"), std::process::id()),
                projections: projections.iter().map(|p| p.name().to_owned()).collect(),
            },
            // A heartbeat that a crash of the server loses is repeated half a second later, so none waits for the disk.
            options: connection::control_options(url)?.options([("synchronous_commit", "off")]),
            connection: None,
            nats,
            lease: Lease::default(),
            assignments: projections
                .iter()
                .map(|p| (p.name(), watch::Sender::default()))
                .collect(),
            members: None,
        })
    }

    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// The assignment of a projection, as it changes. Empty until the first heartbeat.
    pub fn assignment(&self, projection: &Definition) -> watch::Receiver<Assignment> {
        self.assignments.get(projection.name()).map_or_else(
            || watch::Sender::default().subscribe(),
            watch::Sender::subscribe,
        )
    }

    /// Sends heartbeats until `stop`, and then leaves at once. Must be stopped after the workers.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut notifications = None;
        let mut is_failing = false;
        loop {
            if notifications.is_none() {
                notifications = self.nats.subscribe(subject::PROJECTORS).await.ok();
            }
            // Logs it if this process was suspended for long.
            let had_expired = self.lease.check().is_err();
            match self.heartbeat().await {
                Ok(has_joined) => {
                    is_failing = false;
                    if has_joined || had_expired {
                        self.notify_others().await;
                    }
                }
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(
                            %error,
                            "instance: cannot write a heartbeat to PostgreSQL, retrying; other instances take over this \
                             one's partitions after {LEASE_DURATION:?}"
                        );
                    }
                    (self.connection, is_failing) = (None, true);
                }
            }
            let notification = async {
                match &mut notifications {
                    Some(subscriber) => subscriber.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(HEARTBEAT_INTERVAL) => {}
                message = notification => if message.is_none() {
                    notifications = None;
                    tokio::time::sleep(HEARTBEAT_INTERVAL).await;
                },
            }
        }
        self.leave().await;
    }

    /// Writes a heartbeat and updates the assignments. Returns whether it was the first.
    async fn heartbeat(&mut self) -> sqlx::Result<bool> {
        let sent_at = Instant::now();
        let response = async {
            let db = match &mut self.connection {
                Some(connection) => connection,
                None => self.connection.insert(self.options.connect().await?),
            };
            members::heartbeat(&self.member, db).await?;
            let live = members::live_members(db).await?;
            let pauses = members::pauses(db).await?;
            members::record_heads(db).await?;
            Ok::<_, sqlx::Error>((live, pauses))
        };
        let response = timeout(RESPONSE_TIMEOUT, response).await;
        let (live, pauses) = response.map_err(|_| sqlx::Error::PoolTimedOut)??;
        let is_first = self.members.is_none();
        self.update_assignments(&live, &pauses);
        // After the assignments, so that no worker uses an old assignment under a new lease.
        self.lease.renew(sent_at);
        Ok(is_first)
    }

    fn update_assignments(&mut self, live: &[Member], pauses: &BTreeSet<Pause>) {
        let members: Vec<Uuid> = live.iter().map(|member| member.id).collect();
        let members_changed = self.members.as_ref() != Some(&members);
        metrics::gauge!(names::INSTANCES).set(members.len() as f64);
        for projection in Projection::ALL.map(Projection::name) {
            let runs = |member: &&Member| member.projections.iter().any(|it| it == projection);
            let instances = live.iter().filter(runs).count();
            metrics::gauge!(names::PROJECTION_INSTANCES, "projection" => projection)
                .set(instances as f64);
        }
        for (name, sender) in &self.assignments {
            let name = *name;
            let candidates: Vec<Uuid> = live
                .iter()
                .filter(|member| member.projections.iter().any(|p| p == name))
                .map(|member| member.id)
                .collect();
            let is_paused =
                |partition: Option<Partition>| pauses.contains(&(name.to_owned(), partition));
            let owned = owned_partitions(name, self.member.id, &candidates);
            let assignment = Assignment {
                paused: owned
                    .iter()
                    .copied()
                    .filter(|partition| is_paused(None) || is_paused(Some(*partition)))
                    .collect(),
                owned,
            };
            let before = sender.borrow().clone();
            if assignment == before {
                continue;
            }
            let gained = (&assignment.owned - &before.owned).len();
            if self.members.is_some() {
                metrics::counter!(names::TAKEOVERS, "projection" => name).increment(gained as u64);
            }
            for partition in Partition::all() {
                let is_owned = assignment.owned.contains(&partition);
                metrics::gauge!(names::OWNED, "projection" => name, "partition" => partition.to_string())
                    .set(f64::from(u8::from(is_owned)));
            }
            metrics::gauge!(names::PAUSED, "projection" => name)
                .set(assignment.paused.len() as f64);
            if members_changed {
                tracing::info!(
                    projection = name,
                    instances = candidates.len(),
                    partitions = assignment.owned.len(),
                    gained,
                    lost = (&before.owned - &assignment.owned).len(),
                    "instance: the partitions are distributed anew"
                );
            }
            sender.send_replace(assignment);
        }
        self.members = Some(members);
    }

    /// Makes the other instances look for changes at once.
    async fn notify_others(&self) {
        if self.nats.connection_state() != State::Connected {
            return;
        }
        let notified = async {
            let _ = self.nats.publish(subject::PROJECTORS, "".into()).await;
            let _ = self.nats.flush().await;
        };
        let _ = timeout(NOTIFY_TIMEOUT, notified).await;
    }

    async fn leave(mut self) {
        if let Some(connection) = &mut self.connection {
            let left = timeout(RESPONSE_TIMEOUT, members::leave(self.member.id, connection)).await;
            if !matches!(left, Ok(Ok(()))) {
                tracing::warn!(
                    "instance: cannot deregister in PostgreSQL; other instances take over the partitions after \
                     {LEASE_DURATION:?}"
                );
            }
        }
        self.notify_others().await;
    }
}
