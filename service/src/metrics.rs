//! The metrics of the services: name, labels, unit and meaning. They are the `HELP` lines of `/metrics` and the tables of
//! `docs/metrics.md`; a test compares them with what a running system has.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub kind: Kind,
    pub name: &'static str,
    pub labels: &'static [&'static str],
    pub unit: &'static str,
    pub meaning: &'static str,
}

/// What a metric is declared with: its name, labels, unit and meaning.
macro_rules! constructors {
    ($($(#[$doc:meta])* $constructor:ident => $kind:ident;)+) => {
        $(
            $(#[$doc])*
            pub const fn $constructor(
                name: &'static str,
                labels: &'static [&'static str],
                unit: &'static str,
                meaning: &'static str,
            ) -> Metric {
                Metric {
                    kind: Kind::$kind,
                    name,
                    labels,
                    unit,
                    meaning,
                }
            }
        )+
    };
}

constructors! {
    /// A counter. Its value since the start of the process only matters as a rate.
    total => Counter;
    /// A value of now.
    value => Gauge;
    /// A distribution: `_bucket`, `_sum` and `_count`.
    distribution => Histogram;
}

/// Those of all services.
pub const COMMON: &[Metric] = &[
    value(
        "build_info",
        &["service", "version"],
        "1",
        "the version of the program",
    ),
    value(
        "tls_certificate_expiry_timestamp_seconds",
        &[],
        "s",
        "Unix time at which the certificate of TLS_CERT expires, or one of its chain before it; missing without TLS_CERT",
    ),
    value(
        "service_ready",
        &[],
        "1",
        "1 while `/health/ready` is 200, otherwise 0",
    ),
    total(
        "http_requests_total",
        &["method", "route", "status"],
        "requests",
        "answered requests, of clients and operators",
    ),
    distribution(
        "http_request_duration_seconds",
        &["method", "route"],
        "s",
        "from the header of a request to its response, with the wait for a position",
    ),
    value(
        "http_connections",
        &[],
        "connections",
        "open connections of clients and operators",
    ),
    total(
        "http_slow_readers_total",
        &[],
        "connections",
        "closed because the client did not read; in HTTP/2, single responses that were reset",
    ),
    total(
        "http_unsent_refused_total",
        &[],
        "requests",
        "answered with 503 because 4 MiB of earlier responses waited on their connection (HTTP/2)",
    ),
    distribution(
        "sql_duration_seconds",
        &["statement"],
        "s",
        "from the start of a statement to its last row, by its name, which is also a span and a comment in its text",
    ),
    distribution(
        "db_query_latency_seconds",
        &[],
        "s",
        "the same, of all statements",
    ),
    total(
        "sql_errors_total",
        &["statement"],
        "statements",
        "failed statements",
    ),
    value(
        "db_pool_connections_max",
        &[],
        "connections",
        "how many connections the pool may open",
    ),
    value(
        "db_pool_connections",
        &[],
        "connections",
        "open connections of the pool",
    ),
    value(
        "db_pool_connections_in_use",
        &[],
        "connections",
        "those that a request uses",
    ),
    value(
        "db_pool_waiting",
        &[],
        "requests",
        "requests that wait for a connection",
    ),
    distribution(
        "db_pool_wait_seconds",
        &[],
        "s",
        "from a request for a connection to the connection, which may have to be opened",
    ),
    total(
        "db_pool_errors_total",
        &[],
        "requests",
        "requests that got no connection: the pool was exhausted for 3 s, or PostgreSQL was unreachable",
    ),
    total(
        "nats_unauthentic_messages_total",
        &["kind"],
        "messages",
        "ignored because no service of this installation signed them: `event` or `announcement`",
    ),
];

/// Of the services that verify tokens.
pub const ENDED_SESSIONS: Metric = value(
    "ended_sessions",
    &[],
    "sessions",
    "sessions whose access tokens are refused because they have ended",
);

/// Describes the metrics of a service, sets its `build_info`, and has its counters without labels begin at 0. Call it once.
pub fn describe(service: &'static str, version: &'static str, own: &[Metric]) {
    crate::telemetry::metrics();
    for metric in COMMON.iter().chain(own) {
        match metric.kind {
            Kind::Counter => {
                describe_counter!(metric.name, metric.meaning);
                if metric.labels.is_empty() {
                    counter!(metric.name).increment(0);
                }
            }
            Kind::Gauge => describe_gauge!(metric.name, metric.meaning),
            Kind::Histogram => describe_histogram!(metric.name, metric.meaning),
        }
    }
    metrics::gauge!("build_info", "service" => service, "version" => version).set(1);
}
