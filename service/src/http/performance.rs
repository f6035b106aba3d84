//! For operators, at a glance: `/health/db`, `/health/performance` and `/performance/…`, as JSON. Everything but the answer of
//! PostgreSQL comes from the metrics.

use std::{collections::BTreeMap, time::Instant};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use crate::{
    Database,
    database::PoolStatus,
    telemetry::samples::{Histogram, Labels, Samples},
};

/// How many of the slowest routes and statements are listed.
const SLOWEST: usize = 10;

/// The routes, for the operators' listener of a service with this pool.
pub fn router(database: Database) -> Router {
    Router::new()
        .route("/health/db", get(health_db))
        .route("/health/performance", get(health_performance))
        .route("/performance/metrics", get(async || Json(Latencies::now())))
        .route(
            "/performance/cache-stats",
            get(async || Json(CacheStats::now())),
        )
        .with_state(database)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Healthy,
    Unhealthy,
}

#[derive(Debug, Serialize)]
struct DatabaseHealth {
    status: Status,
    /// How long PostgreSQL took to answer.
    latency_ms: Option<f64>,
    pool: PoolStatus,
}

#[derive(Debug, Serialize)]
struct Performance {
    status: Status,
    /// How long this answer took.
    response_time_ms: f64,
    /// Of all kinds of entries together; `hits` and `misses` are those of whole answers.
    cache: CacheSummary,
    database: DatabaseHealth,
}

/// 200, or 503 if PostgreSQL does not answer.
fn respond(status: Status, body: impl Serialize) -> Response {
    let code = match status {
        Status::Healthy => StatusCode::OK,
        Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, Json(body)).into_response()
}

async fn health_db(State(database): State<Database>) -> Response {
    let health = DatabaseHealth::check(&database).await;
    respond(health.status, health)
}

async fn health_performance(State(database): State<Database>) -> Response {
    let started = Instant::now();
    let health = DatabaseHealth::check(&database).await;
    let status = health.status;
    let performance = Performance {
        status,
        cache: CacheStats::now().summary(),
        database: health,
        response_time_ms: started.elapsed().as_secs_f64() * 1e3,
    };
    respond(status, performance)
}

impl DatabaseHealth {
    async fn check(database: &Database) -> Self {
        let latency = database.ping().await.ok();
        Self {
            status: latency.map_or(Status::Unhealthy, |_| Status::Healthy),
            latency_ms: latency.map(|latency| millis(latency.as_secs_f64())),
            pool: database.status(),
        }
    }
}

/// How long something takes, since the start of the process.
#[derive(Debug, Clone, Serialize)]
pub struct Latency {
    /// `method` and `route`, or `statement`.
    #[serde(flatten)]
    pub labels: Labels,
    pub count: u64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
}

/// The slowest are those with the longest 99th percentiles.
#[derive(Debug, Serialize)]
pub struct Latencies {
    pub slowest_routes: Vec<Latency>,
    pub slowest_statements: Vec<Latency>,
    pub routes: Vec<Latency>,
    pub statements: Vec<Latency>,
}

impl Latencies {
    /// Of this process.
    pub fn now() -> Self {
        let samples = Samples::now();
        let of = |name| -> Vec<Latency> {
            let histograms = samples.histograms(name).into_iter();
            histograms
                .map(|(labels, it)| Latency::of(labels, &it))
                .collect()
        };
        let (routes, statements) = (
            of("http_request_duration_seconds"),
            of("sql_duration_seconds"),
        );
        Self {
            slowest_routes: slowest(&routes),
            slowest_statements: slowest(&statements),
            routes,
            statements,
        }
    }
}

fn slowest(all: &[Latency]) -> Vec<Latency> {
    let mut slowest = all.to_vec();
    slowest.sort_by(|one, other| other.p99_ms.total_cmp(&one.p99_ms));
    slowest.truncate(SLOWEST);
    slowest
}

impl Latency {
    fn of(labels: Labels, histogram: &Histogram) -> Self {
        Self {
            labels,
            count: histogram.count as u64,
            mean_ms: millis(histogram.mean()),
            p50_ms: millis(histogram.quantile(0.5)),
            p95_ms: millis(histogram.quantile(0.95)),
            p99_ms: millis(histogram.quantile(0.99)),
        }
    }
}

/// In milliseconds, to the microsecond.
fn millis(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e3
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
struct CacheSummary {
    entries: u64,
    hits: u64,
    misses: u64,
    /// From 0 to 1; None before the first lookup.
    hit_rate: Option<f64>,
    memory_bytes: u64,
}

/// By kind of entry. Empty in a service without a cache.
#[derive(Debug, Serialize)]
struct CacheStats(BTreeMap<String, CacheSummary>);

impl CacheStats {
    fn now() -> Self {
        Self::of(&Samples::now())
    }

    fn of(samples: &Samples) -> Self {
        let kinds = samples.of("cache_entries").iter();
        let kinds = kinds.filter_map(|(labels, _)| labels.get("cache"));
        let stats = kinds.map(|kind| {
            let lookups = |result: &str| {
                let of = samples.of("cache_requests_total").iter();
                let of =
                    of.filter(|(it, _)| it.get("cache") == Some(kind) && it["result"] == result);
                of.map(|(_, count)| *count as u64).sum()
            };
            let (hits, misses) = (lookups("hit"), lookups("miss"));
            let summary = CacheSummary {
                entries: samples.sum("cache_entries", "cache", kind) as u64,
                hits,
                misses,
                hit_rate: hit_rate(hits, misses),
                memory_bytes: samples.sum("cache_bytes", "cache", kind) as u64,
            };
            (kind.clone(), summary)
        });
        Self(stats.collect())
    }

    fn summary(&self) -> CacheSummary {
        let answers = self.0.get("answers").cloned().unwrap_or_default();
        CacheSummary {
            entries: self.0.values().map(|cache| cache.entries).sum(),
            memory_bytes: self.0.values().map(|cache| cache.memory_bytes).sum(),
            ..answers
        }
    }
}

fn hit_rate(hits: u64, misses: u64) -> Option<f64> {
    let all = hits + misses;
    (all > 0).then(|| (hits as f64 / all as f64 * 1e4).round() / 1e4)
}
