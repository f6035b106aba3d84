//! The names of the metrics. Metrics of a projection have the label `projection`.

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
pub const STREAM_FORKED: &str = "projector_stream_forked_partitions";
pub const STREAM_LAG_SECONDS: &str = "projector_stream_lag_seconds";

pub fn describe() {
    describe_gauge!(
        LAG_EVENTS,
        Unit::Count,
        "events in the log that the projection has not applied"
    );
    describe_gauge!(
        LAG_SECONDS,
        Unit::Seconds,
        "time since this instance first saw the oldest event in the log that the projection has not applied"
    );
    describe_counter!(
        EVENTS,
        Unit::Count,
        "events by which the checkpoints advanced, by source (stream or log), including those of other types"
    );
    describe_histogram!(
        BATCH_SECONDS,
        Unit::Seconds,
        "time to apply and commit a batch"
    );
    describe_gauge!(
        BLOCKED,
        Unit::Count,
        "partitions that are blocked by an event that cannot be applied"
    );
    describe_counter!(
        GAP_EVENTS,
        Unit::Count,
        "events that the stream did not deliver and that were read from the log"
    );
    describe_counter!(
        CONFLICTS,
        Unit::Count,
        "batches rolled back because another instance had moved the checkpoint"
    );
    describe_counter!(
        DUPLICATES,
        Unit::Count,
        "events that were delivered again and ignored"
    );
    describe_gauge!(
        LAST_PROGRESS,
        Unit::Seconds,
        "Unix time at which this instance last committed a batch"
    );
    describe_gauge!(
        PAUSED,
        Unit::Count,
        "partitions of this instance that an operator has paused"
    );
    describe_gauge!(
        OWNED,
        Unit::Count,
        "1 for each partition that this instance owns, 0 for the others"
    );
    describe_counter!(
        TAKEOVERS,
        Unit::Count,
        "partitions that this instance took over since its start, because other instances started, stopped or died"
    );
    describe_gauge!(
        INSTANCES,
        Unit::Count,
        "live projector instances, including this one"
    );
    describe_counter!(
        LEASES_LAPSED,
        Unit::Count,
        "how often this instance's lease expired, so that it stopped writing and restarted from the checkpoints"
    );
    describe_gauge!(
        NATS_CONNECTED,
        Unit::Count,
        "1 while connected to NATS; otherwise the log is polled"
    );
    describe_gauge!(
        STREAM_LAG_EVENTS,
        Unit::Count,
        "events in the log that are not in the stream; many for a long time mean that the relay is down"
    );
    describe_gauge!(
        STREAM_FORKED,
        Unit::Count,
        "partitions whose last event in the stream is not that of the log; the relay removes such events"
    );
    describe_gauge!(
        STREAM_LAG_SECONDS,
        Unit::Seconds,
        "time since this instance first saw the oldest event in the log that is not in the stream"
    );
}
