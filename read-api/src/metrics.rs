//! The metrics of read-api.

use feedmill_service::metrics::{ENDED_SESSIONS, Metric, distribution, total, value};

/// Besides those of all services.
pub const METRICS: &[Metric] = &[
    ENDED_SESSIONS,
    total(
        "feed_requests_total",
        &[],
        "requests",
        "`GET /v1/feed`: the sum of its `http_requests_total`",
    ),
    distribution(
        "feed_latency_seconds",
        &[],
        "s",
        "`GET /v1/feed`, as `http_request_duration_seconds`",
    ),
    total(
        "digest_requests_total",
        &[],
        "requests",
        "`GET /v1/digest`: the sum of its `http_requests_total`",
    ),
    distribution(
        "digest_latency_seconds",
        &[],
        "s",
        "`GET /v1/digest`, as `http_request_duration_seconds`",
    ),
    total(
        "cache_requests_total",
        &["cache", "result"],
        "lookups",
        "by kind of entry: whole `answers`, `posts`, `scores` of posts in digests, and `followees` and `unread` counts of \
         feeds. A `hit` is answered from memory, a `miss` is not. Of the misses of answers, `stale` ones found an entry that \
         had changed, and `joined` ones waited for the load of another request",
    ),
    value(
        "cache_entries",
        &["cache"],
        "entries",
        "in memory, fresh or not",
    ),
    value(
        "cache_bytes",
        &["cache"],
        "bytes",
        "of memory for entries; at most `CACHE_MAX_BYTES` together",
    ),
    total(
        "cache_evictions_total",
        &["cache"],
        "entries",
        "removed to make room for others",
    ),
    total(
        "cache_flushes_total",
        &[],
        "flushes",
        "everything became stale at once",
    ),
    value("streams_open", &[], "streams", "live updates"),
    total(
        "stream_events_total",
        &["event"],
        "events",
        "sent to streams",
    ),
    total("stream_ends_total", &["why"], "streams", "ended streams"),
    total(
        "stream_resets_total",
        &[],
        "events",
        "`reset` events: more changed than a stream can name",
    ),
    distribution(
        "stream_sweep_seconds",
        &[],
        "s",
        "to check which streams a change affects",
    ),
];
