//! The metrics of the projector.

use feedmill_service::metrics::{Metric, distribution, total, value};

pub const LAG_EVENTS: &str = "projector_lag_events";
pub const LAG_SECONDS: &str = "projector_lag_seconds";
pub const EVENTS: &str = "projector_events_total";
pub const BATCH_SECONDS: &str = "projector_batch_duration_seconds";
pub const BLOCKED: &str = "projector_blocked_partitions";
pub const GAP_EVENTS: &str = "projector_gap_events_total";
pub const CONFLICTS: &str = "projector_cas_conflicts_total";
pub const DUPLICATES: &str = "projector_duplicate_events_total";
pub const LAST_PROGRESS: &str = "projector_last_progress_timestamp_seconds";
pub const PAUSED: &str = "projector_paused";
pub const OWNED: &str = "projector_partition_owned";
pub const TAKEOVERS: &str = "projector_takeovers_total";
pub const INSTANCES: &str = "projector_instances";
pub const PROJECTION_INSTANCES: &str = "projector_projection_instances";
pub const LEASES_LAPSED: &str = "projector_leases_lapsed_total";
pub const NATS_CONNECTED: &str = "projector_nats_connected";
pub const STREAM_LAG_EVENTS: &str = "projector_stream_lag_events";
pub const STREAM_FORKED: &str = "projector_stream_forked_partitions";
pub const STREAM_LAG_SECONDS: &str = "projector_stream_lag_seconds";
pub const USERS: &str = "users_total";
pub const POSTS: &str = "posts_total";
pub const LAST_BACKUP: &str = "backup_last_finished_timestamp_seconds";
pub const LAST_ARCHIVED: &str = "wal_last_archived_timestamp_seconds";
pub const CONNECTIONS: &str = "active_connections_total";

/// Besides those of all services.
pub const METRICS: &[Metric] = &[
    value(
        USERS,
        &[],
        "accounts",
        "accounts in the read models; the same at every instance, to 5 s",
    ),
    value(
        POSTS,
        &[],
        "posts",
        "posts in the read models, replies included, without deleted ones; the same at every instance",
    ),
    value(
        CONNECTIONS,
        &[],
        "connections",
        "accepted connections between two people, in the read models; the same at every instance",
    ),
    value(
        LAST_BACKUP,
        &[],
        "s",
        "Unix time of the last `write-api backup-finished`, 0 without one; the same at every instance",
    ),
    value(
        LAST_ARCHIVED,
        &[],
        "s",
        "Unix time at which PostgreSQL last archived a WAL file, 0 if it archives none; the same at every instance",
    ),
    value(
        LAG_EVENTS,
        &["projection"],
        "events",
        "events in the log that the projection has not applied",
    ),
    value(
        LAG_SECONDS,
        &["projection"],
        "s",
        "time since this instance first saw the oldest event in the log that the projection has not applied",
    ),
    total(
        EVENTS,
        &["projection", "source"],
        "events",
        "events by which the checkpoints advanced, by source (stream or log), including those of other types",
    ),
    distribution(
        BATCH_SECONDS,
        &["projection"],
        "s",
        "time to apply and commit a batch",
    ),
    value(
        BLOCKED,
        &["projection"],
        "partitions",
        "partitions that are blocked by an event that cannot be applied",
    ),
    total(
        GAP_EVENTS,
        &["projection"],
        "events",
        "events that the stream did not deliver and that were read from the log",
    ),
    total(
        CONFLICTS,
        &["projection"],
        "batches",
        "batches rolled back because another instance had moved the checkpoint",
    ),
    total(
        DUPLICATES,
        &["projection"],
        "events",
        "events that were delivered again and ignored",
    ),
    value(
        LAST_PROGRESS,
        &["projection"],
        "s",
        "Unix time at which this instance last committed a batch",
    ),
    value(
        PAUSED,
        &["projection"],
        "partitions",
        "partitions of this instance that an operator has paused",
    ),
    value(
        OWNED,
        &["projection", "partition"],
        "1",
        "1 for each partition that this instance owns, 0 for the others",
    ),
    total(
        TAKEOVERS,
        &["projection"],
        "partitions",
        "partitions that this instance took over since its start, because other instances started, stopped or died",
    ),
    value(
        INSTANCES,
        &[],
        "instances",
        "live projector instances, including this one",
    ),
    total(
        LEASES_LAPSED,
        &[],
        "times",
        "how often this instance's lease expired, so that it stopped writing and restarted from the checkpoints",
    ),
    value(
        NATS_CONNECTED,
        &[],
        "1",
        "1 while connected to NATS; otherwise the log is polled",
    ),
    value(
        STREAM_LAG_EVENTS,
        &[],
        "events",
        "events in the log that are not in the stream; many for a long time mean that the relay is down",
    ),
    value(
        STREAM_FORKED,
        &[],
        "partitions",
        "partitions whose last event in the stream is not that of the log; the relay removes such events",
    ),
    value(
        STREAM_LAG_SECONDS,
        &[],
        "s",
        "time since this instance first saw the oldest event in the log that is not in the stream",
    ),
    value(
        PROJECTION_INSTANCES,
        &["projection"],
        "instances",
        "live instances that run a projection, of all projections; the same at every instance",
    ),
];
