//! Names of the metrics. Each has the label `projection`.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub const LAG_EVENTS: &str = "projector_lag_events";
pub const LAG_SECONDS: &str = "projector_lag_seconds";
pub const EVENTS: &str = "projector_events_total";
pub const BATCH_SECONDS: &str = "projector_batch_duration_seconds";
pub const BLOCKED: &str = "projector_blocked_partitions";
pub const GAP_EVENTS: &str = "projector_gap_events_total";
pub const CONFLICTS: &str = "projector_cas_conflicts_total";
pub const DUPLICATES: &str = "projector_duplicate_events_total";

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
}
