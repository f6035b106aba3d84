//! The report: what the control schema says about lag, owners and partitions that do not move.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use feedmill_events::Partition;
use serde::Serialize;
use uuid::Uuid;

use super::{
    age::{seconds, since},
    relay::Relay,
    snapshot::{Blocked, Cutover, Instance, Live, Paused, Rebuilding, Snapshot},
};
use crate::{audit::Recorded, instance};

/// A partition that is behind and has not moved for longer is stalled. In seconds.
const STALL_TIMEOUT: f64 = 10.0;

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub at: DateTime<Utc>,
    pub relay: Relay,
    /// Including dead ones, for an hour.
    pub instances: Vec<Instance>,
    pub projections: Vec<ProjectionReport>,
    /// Latest first.
    pub audit: Vec<Recorded>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ProjectionReport {
    pub name: String,
    /// The live generation.
    pub generation: i32,
    /// The generation that a rollback would make live again.
    pub previous: Option<i32>,
    /// How the live generation became live; None for the first one.
    pub last_cutover: Option<Cutover>,
    /// A rebuild, a verification or a rollback is running, in any process.
    pub is_locked: bool,
    /// The unfinished rebuild, which runs if `is_locked`, and otherwise continues at the next `rebuild`.
    pub rebuilding: Option<Rebuilding>,
    /// Events in the log that are not applied.
    pub lag_events: i64,
    /// The maximum over all partitions.
    pub lag_seconds: f64,
    pub events_per_second: f64,
    pub last_progress: Option<DateTime<Utc>>,
    /// The number of partitions by live instance.
    pub owners: BTreeMap<String, usize>,
    /// The number of partitions that do not move, by reason.
    pub standing: BTreeMap<&'static str, usize>,
    pub partitions: Vec<PartitionReport>,
}

#[derive(Debug, Clone, Serialize)]
pub struct PartitionReport {
    pub partition: Partition,
    pub checkpoint: i64,
    pub head: i64,
    pub lag_events: i64,
    /// Time since the oldest event that is not applied was first seen in the log; at most an hour.
    pub lag_seconds: f64,
    pub events_per_second: f64,
    pub last_progress: Option<DateTime<Utc>>,
    /// The instance that owns it.
    pub owner: Option<String>,
    /// Why it does not move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Standing {
    Paused(Paused),
    Blocked(Blocked),
    /// No live instance runs the projection. Names the last one that did, and its last heartbeat.
    Unowned {
        last: Option<String>,
        heard: Option<DateTime<Utc>>,
    },
    /// It has an owner and is behind, but does not move.
    Stalled {
        seconds: f64,
    },
}

impl Standing {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Paused(_) => "paused",
            Self::Blocked(_) => "blocked",
            Self::Unowned { .. } => "unowned",
            Self::Stalled { .. } => "stalled",
        }
    }
}

impl Report {
    /// Takes two snapshots.
    pub fn new(before: &Snapshot, after: &Snapshot, relay: Relay) -> Self {
        let projections = after.projections.iter();
        Self {
            at: after.at,
            relay,
            instances: after.instances.clone(),
            projections: projections
                .map(|(name, live)| projection(name, live, before, after))
                .collect(),
            audit: after.audit.clone(),
        }
    }

    pub fn projection(&self, name: &str) -> Option<&ProjectionReport> {
        self.projections.iter().find(|it| it.name == name)
    }
}

fn projection(name: &str, live: &Live, before: &Snapshot, after: &Snapshot) -> ProjectionReport {
    let running = |instance: &&Instance| instance.projections.iter().any(|p| p == name);
    let living: Vec<&Instance> = after
        .instances
        .iter()
        .filter(running)
        .filter(|instance| instance.living)
        .collect();
    let ids: Vec<Uuid> = living.iter().map(|instance| instance.id).collect();
    let last = after
        .instances
        .iter()
        .filter(running)
        .max_by_key(|instance| instance.heartbeat);
    let partitions: Vec<PartitionReport> = Partition::all()
        .map(|partition| {
            let owner = instance::owner(name, partition, &ids);
            let owner = living.iter().find(|instance| Some(instance.id) == owner);
            let mut report = progress(name, partition, before, after);
            report.owner = owner.map(|instance| instance.name.clone());
            report.standing = standing(name, &report, last, after);
            report
        })
        .collect();
    let count = |words: Vec<String>| {
        let mut counts = BTreeMap::new();
        for word in words {
            *counts.entry(word).or_insert(0) += 1;
        }
        counts
    };
    let mut standing = BTreeMap::new();
    for reason in partitions.iter().filter_map(|p| p.standing.as_ref()) {
        *standing.entry(reason.name()).or_insert(0) += 1;
    }
    ProjectionReport {
        name: name.to_owned(),
        generation: live.generation,
        previous: live.previous,
        last_cutover: live.last_cutover.clone(),
        is_locked: live.is_locked,
        rebuilding: after.rebuilds.get(name).cloned(),
        lag_events: partitions.iter().map(|p| p.lag_events).sum(),
        lag_seconds: partitions.iter().map(|p| p.lag_seconds).fold(0.0, f64::max),
        events_per_second: partitions.iter().map(|p| p.events_per_second).sum(),
        last_progress: partitions.iter().filter_map(|p| p.last_progress).max(),
        owners: count(partitions.iter().filter_map(|p| p.owner.clone()).collect()),
        standing,
        partitions,
    }
}

/// The progress of a partition, without owner and reason.
fn progress(
    name: &str,
    partition: Partition,
    before: &Snapshot,
    after: &Snapshot,
) -> PartitionReport {
    let key = (name.to_owned(), partition);
    let (seq, moved) = after.checkpoints.get(&key).map_or((0, None), |(seq, at)| {
        // A checkpoint at 0 has never moved.
        (*seq, (*seq > 0).then_some(*at))
    });
    let then = before.checkpoints.get(&key).map_or(0, |(seq, _)| *seq);
    let seconds = seconds(before.at, after.at).max(0.001);
    let head = after.heads[partition];
    let lag_events = (head - seq).max(0);
    PartitionReport {
        partition,
        checkpoint: seq,
        head,
        lag_events,
        lag_seconds: if lag_events > 0 {
            since(after, partition, seq)
        } else {
            0.0
        },
        events_per_second: ((seq - then).max(0) as f64 / seconds * 10.0).round() / 10.0,
        last_progress: moved,
        owner: None,
        standing: None,
    }
}

fn standing(
    name: &str,
    report: &PartitionReport,
    last: Option<&Instance>,
    snapshot: &Snapshot,
) -> Option<Standing> {
    let paused = |partition| snapshot.pauses.get(&(name.to_owned(), partition)).cloned();
    if let Some(paused) = paused(None).or_else(|| paused(Some(report.partition))) {
        return Some(Standing::Paused(paused));
    }
    let key = (name.to_owned(), report.partition);
    if report.owner.is_none() {
        return Some(Standing::Unowned {
            last: last.map(|instance| instance.name.clone()),
            heard: last.map(|instance| instance.heartbeat),
        });
    }
    if let Some(blocked) = snapshot.blocked.get(&key) {
        return Some(Standing::Blocked(blocked.clone()));
    }
    let still = report
        .last_progress
        .map_or(f64::INFINITY, |at| seconds(at, snapshot.at))
        .min(report.lag_seconds);
    (report.lag_events > 0 && still > STALL_TIMEOUT).then_some(Standing::Stalled { seconds: still })
}
