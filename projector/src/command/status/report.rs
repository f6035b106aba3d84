//! What the books mean.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use feedmill_events::Partition;
use serde::Serialize;
use uuid::Uuid;

use super::books::{Blocked, Books, Deed, Instance, Paused};
use crate::{instance, log::Places, relay};

/// A stream that has been behind for less is only on its way.
const RELAY_TOLERATED: f64 = 3.0;
/// A partition that is behind and has not moved for so long stalls.
const STALLED: f64 = 10.0;

#[derive(Debug, Serialize)]
pub struct Report {
    pub at: DateTime<Utc>,
    pub relay: Relay,
    /// Dead ones too, for an hour.
    pub instances: Vec<Instance>,
    pub projections: Vec<Definition>,
    /// The latest first.
    pub audit: Vec<Deed>,
}

/// How the stream stands to the log.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Relay {
    Ok {
        lag_events: i64,
    },
    Behind {
        lag_events: i64,
        /// Since the oldest event that is not in the stream was first seen in the log; an hour at most.
        lag_seconds: f64,
    },
    Unknown {
        reason: String,
    },
}

#[derive(Debug, Serialize)]
pub struct Definition {
    pub name: String,
    /// The live one.
    pub generation: i32,
    /// Events in the log that are not applied.
    pub lag_events: i64,
    /// Of the partition that is furthest behind.
    pub lag_seconds: f64,
    pub events_per_second: f64,
    pub last_progress: Option<DateTime<Utc>>,
    /// How many partitions each living instance has.
    pub owners: BTreeMap<String, usize>,
    /// How many partitions stand still, and why.
    pub standing: BTreeMap<&'static str, usize>,
    pub partitions: Vec<PartitionReport>,
}

#[derive(Debug, Serialize)]
pub struct PartitionReport {
    pub partition: Partition,
    pub checkpoint: i64,
    pub head: i64,
    pub lag_events: i64,
    /// Since the oldest event that is not applied was first seen in the log; an hour at most.
    pub lag_seconds: f64,
    pub events_per_second: f64,
    pub last_progress: Option<DateTime<Utc>>,
    /// The instance whose it is.
    pub owner: Option<String>,
    /// Why it stands still, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Standing {
    Paused(Paused),
    Blocked(Blocked),
    /// No living instance projects it. The last one that did, and when it was last heard of.
    Unowned {
        last: Option<String>,
        heard: Option<DateTime<Utc>>,
    },
    /// It has an owner, is behind, and does not move.
    Stalled {
        seconds: f64,
    },
}

impl Standing {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Paused(_) => "paused",
            Self::Blocked(_) => "blocked",
            Self::Unowned { .. } => "unowned",
            Self::Stalled { .. } => "stalled",
        }
    }
}

impl Report {
    /// From two looks, and where the stream is if that is known.
    pub fn new(before: &Books, after: &Books, stream: Result<Places, String>) -> Self {
        let relay = match stream {
            Err(reason) => Relay::Unknown { reason },
            Ok(stream) => {
                // The stream was asked after the first look.
                let lag_events = relay::behind(&before.heads, &stream);
                let lag_seconds = Partition::all()
                    .filter(|partition| before.heads[*partition] > stream[*partition])
                    .map(|partition| since(after, partition, stream[partition]))
                    .fold(0.0, f64::max);
                if lag_seconds > RELAY_TOLERATED {
                    Relay::Behind {
                        lag_events,
                        lag_seconds,
                    }
                } else {
                    Relay::Ok { lag_events }
                }
            }
        };
        Self {
            at: after.at,
            relay,
            instances: after.instances.clone(),
            projections: after
                .projections
                .iter()
                .map(|(name, generation)| projection(name, *generation, before, after))
                .collect(),
            audit: after.audit.clone(),
        }
    }
}

fn projection(name: &str, generation: i32, before: &Books, after: &Books) -> Definition {
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
            let mut report = place(name, partition, before, after);
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
    for why in partitions.iter().filter_map(|p| p.standing.as_ref()) {
        *standing.entry(why.word()).or_insert(0) += 1;
    }
    Definition {
        name: name.to_owned(),
        generation,
        lag_events: partitions.iter().map(|p| p.lag_events).sum(),
        lag_seconds: partitions.iter().map(|p| p.lag_seconds).fold(0.0, f64::max),
        events_per_second: partitions.iter().map(|p| p.events_per_second).sum(),
        last_progress: partitions.iter().filter_map(|p| p.last_progress).max(),
        owners: count(partitions.iter().filter_map(|p| p.owner.clone()).collect()),
        standing,
        partitions,
    }
}

/// How far a partition is. Owner and reason are left open.
fn place(name: &str, partition: Partition, before: &Books, after: &Books) -> PartitionReport {
    let key = (name.to_owned(), partition);
    let (seq, moved) = after.checkpoints.get(&key).map_or((0, None), |(seq, at)| {
        // A checkpoint at 0 has only been made.
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
    books: &Books,
) -> Option<Standing> {
    let paused = |partition| books.pauses.get(&(name.to_owned(), partition)).cloned();
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
    if let Some(blocked) = books.blocked.get(&key) {
        return Some(Standing::Blocked(blocked.clone()));
    }
    let still = report
        .last_progress
        .map_or(f64::INFINITY, |at| seconds(at, books.at))
        .min(report.lag_seconds);
    (report.lag_events > 0 && still > STALLED).then_some(Standing::Stalled { seconds: still })
}

/// For how many seconds the event after `seq` has been seen in the log.
fn since(books: &Books, partition: Partition, seq: i64) -> f64 {
    let index = usize::from(partition.number());
    let beyond = |heads: &[i64]| heads.get(index).is_some_and(|head| *head > seq);
    // Heads only grow.
    let first = books
        .heads_seen
        .partition_point(|(_, heads)| !beyond(heads));
    let at = books.heads_seen.get(first).map_or(books.at, |(at, _)| *at);
    seconds(at, books.at)
}

/// To the millisecond.
fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_milliseconds().max(0) as f64 / 1000.0
}
