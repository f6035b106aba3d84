//! Names of the metrics. Those of a projection have the label `projection`.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

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
pub const LEASES_LAPSED: &str = "projector_leases_lapsed_total";
pub const NATS_CONNECTED: &str = "projector_nats_connected";
pub const STREAM_LAG_EVENTS: &str = "projector_stream_lag_events";
pub const STREAM_LAG_SECONDS: &str = "projector_stream_lag_seconds";

pub fn describe() {
    describe_gauge!(
        LAG_EVENTS,
        Unit::Count,
        "events in the log that are not applied"
    );
    describe_gauge!(
        LAG_SECONDS,
        Unit::Seconds,
        "for how long the oldest event that is not applied has been seen in the log by this instance"
    );
    describe_counter!(
        EVENTS,
        Unit::Count,
        "events passed, wanted or not, by where they came from"
    );
    describe_histogram!(
        BATCH_SECONDS,
        Unit::Seconds,
        "time to apply and commit a batch"
    );
    describe_gauge!(
        BLOCKED,
        Unit::Count,
        "partitions that stand still at an event that cannot be applied"
    );
    describe_counter!(
        GAP_EVENTS,
        Unit::Count,
        "events that the stream left out and the log had"
    );
    describe_counter!(
        CONFLICTS,
        Unit::Count,
        "batches rolled back because the checkpoint had moved"
    );
    describe_counter!(
        DUPLICATES,
        Unit::Count,
        "events that came again and were skipped"
    );
    describe_gauge!(
        LAST_PROGRESS,
        Unit::Seconds,
        "when this instance last committed a batch, in Unix time"
    );
    describe_gauge!(
        PAUSED,
        Unit::Count,
        "partitions of this instance that an operator has paused"
    );
    describe_gauge!(
        OWNED,
        Unit::Count,
        "1 for each partition that is this instance's, else 0"
    );
    describe_counter!(
        TAKEOVERS,
        Unit::Count,
        "partitions that came to this instance since it began, because others came, went or died"
    );
    describe_gauge!(
        INSTANCES,
        Unit::Count,
        "projectors that live, this one among them"
    );
    describe_counter!(
        LEASES_LAPSED,
        Unit::Count,
        "how often this instance was away for longer than its lease, and stepped back"
    );
    describe_gauge!(
        NATS_CONNECTED,
        Unit::Count,
        "1 while there is a connection to NATS; without it the log is polled"
    );
    describe_gauge!(
        STREAM_LAG_EVENTS,
        Unit::Count,
        "events in the log that are not in the stream: many and for long mean that the relay is down"
    );
    describe_gauge!(
        STREAM_LAG_SECONDS,
        Unit::Seconds,
        "for how long the oldest event that is not in the stream has been seen in the log by this instance"
    );
}
