//! The metrics of write-api.

use std::collections::BTreeMap;

use feedmill_events::EventType;
use feedmill_service::metrics::{ENDED_SESSIONS, Metric, distribution, total, value};
use metrics::counter;

use crate::log::Entry;

const APPENDED: &str = "log_events_appended_total";

/// The names under which operators of other systems know what happens, with the events that say so. A connection has two.
const NAMED: [(&str, EventType, u64); 4] = [
    ("post_creations_total", EventType::PostCreated, 1),
    ("post_deletions_total", EventType::PostDeleted, 1),
    (
        "connection_requests_total",
        EventType::ConnectionRequested,
        1,
    ),
    ("connection_accepts_total", EventType::ConnectionMade, 2),
];

/// Besides those of all services.
pub const METRICS: &[Metric] = &[
    ENDED_SESSIONS,
    total(
        "commands_total",
        &["command", "outcome"],
        "commands",
        "`accepted`; `replayed`: the answer to an earlier request with its idempotency key; `rejected`: the answer is 4xx; \
         `overloaded`; `failed`: the outcome may be unknown",
    ),
    distribution(
        "command_duration_seconds",
        &["command"],
        "s",
        "from the submission of a command to its outcome, with the wait for its partitions and for the commit",
    ),
    distribution(
        "lane_batch_commands",
        &[],
        "commands",
        "that share a commit",
    ),
    total(
        "quota_exceeded_total",
        &["quota"],
        "commands",
        "refused because an account or address had used up its quota",
    ),
    total(
        APPENDED,
        &["type"],
        "events",
        "appended by this process, by the type of event",
    ),
    total(
        "post_creations_total",
        &[],
        "posts",
        "created through this process, replies included: its `log_events_appended_total` of type `post.created`",
    ),
    total(
        "post_deletions_total",
        &[],
        "posts",
        "deleted through this process, in the same way",
    ),
    total(
        "connection_requests_total",
        &[],
        "requests",
        "to connect, in the same way",
    ),
    total(
        "connection_accepts_total",
        &[],
        "connections",
        "made through this process, in the same way: a connection has two events",
    ),
    distribution(
        "post_creation_latency_seconds",
        &[],
        "s",
        "`POST /v1/posts`, as `http_request_duration_seconds`",
    ),
    value(
        "relay_leader",
        &[],
        "1",
        "1 at the instance that publishes the log",
    ),
    value(
        "relay_lag_events",
        &[],
        "events",
        "in the log and not in the stream, as the leader sees it; 0 at the others",
    ),
    total(
        "relay_published_total",
        &[],
        "events",
        "published to the stream",
    ),
    total(
        "relay_refused_total",
        &[],
        "messages",
        "that JetStream refused to store: its storage is full, or the stream has reached a limit",
    ),
    total(
        "relay_removed_messages_total",
        &[],
        "messages",
        "deleted from the stream because the log does not have them",
    ),
    value(
        "log_head",
        &["partition"],
        "events",
        "in each partition, as the leader sees it",
    ),
    total(
        "log_events_total",
        &[],
        "events",
        "in the log, as the leader sees it",
    ),
    total(
        "sessions_ended_total",
        &["why"],
        "sessions",
        "ended by this instance: `signed_out`, `password` (changed), `theft` (a used refresh token came again)",
    ),
];

/// Counts what a transaction has appended. Call it after the commit.
pub fn count_appended(entries: &[Entry]) {
    let mut types: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in entries {
        *types.entry(&entry.name).or_default() += 1;
    }
    for (name, count) in types {
        counter!(APPENDED, "type" => name.to_owned()).increment(count);
        for (metric, event_type, events) in NAMED {
            if event_type.name() == name {
                counter!(metric).increment(count / events);
            }
        }
    }
}
