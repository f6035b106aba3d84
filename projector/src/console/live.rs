//! The state of the projections, as `projector status` has it, for pages that ask for it again and again.
//!
//! All viewers share one report, which is at most a second old, and its numbers of the last minutes. Nothing is read while nobody looks.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use feedmill_service::{Database, telemetry::samples::Samples};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::{
    command::status::{relay::Relay, report::Report, snapshot::Snapshot},
    metrics,
};

/// A report is at most this old.
const MAX_AGE: Duration = Duration::from_millis(900);
/// Rates are of this time at least.
const MIN_RATE_INTERVAL: Duration = Duration::from_millis(500);
/// A quarter of an hour, while somebody looks.
const MAX_SAMPLES: usize = 900;

/// Cheap to clone.
#[derive(Clone)]
pub struct LiveStatus {
    database: Database,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The last two snapshots.
    before: Option<Snapshot>,
    last: Option<(Instant, Snapshot, Arc<Report>)>,
    samples: VecDeque<Sample>,
}

/// The lag of all projections at one time.
#[derive(Debug, Clone)]
struct Sample {
    /// Unix seconds.
    at: f64,
    /// By projection, in the order of the report: events and seconds.
    lag: Vec<(i64, f64)>,
}

/// For a chart: times, and a list of the same length per projection.
#[derive(Debug, Default, Serialize)]
pub struct Series {
    names: Vec<String>,
    at: Vec<f64>,
    events: Vec<Vec<i64>>,
    seconds: Vec<Vec<f64>>,
}

impl LiveStatus {
    pub fn new(database: Database) -> Self {
        Self {
            database,
            state: Arc::default(),
        }
    }

    /// The present report. One of its viewers reads it, the others wait for that.
    pub async fn report(&self) -> sqlx::Result<Arc<Report>> {
        let mut state = self.state.lock().await;
        if let Some((at, _, report)) = &state.last
            && at.elapsed() < MAX_AGE
        {
            return Ok(Arc::clone(report));
        }
        self.refresh(&mut state).await
    }

    /// A report from after an action.
    pub async fn fresh_report(&self) -> sqlx::Result<Arc<Report>> {
        let mut state = self.state.lock().await;
        self.refresh(&mut state).await
    }

    async fn refresh(&self, state: &mut State) -> sqlx::Result<Arc<Report>> {
        let earlier = state.last.as_ref().map(|(_, snapshot, _)| snapshot);
        let mut connection = self.database.connection().await?;
        let now = Snapshot::read(&mut connection, earlier).await?;
        drop(connection);
        if let Some((at, last, _)) = state.last.take()
            && at.elapsed() >= MIN_RATE_INTERVAL
        {
            state.before = Some(last);
        }
        let before = state.before.as_ref().unwrap_or(&now);
        let report = Arc::new(Report::new(before, &now, relay()));
        state.samples.push_back(Sample {
            at: report.at.timestamp_millis() as f64 / 1e3,
            lag: report
                .projections
                .iter()
                .map(|it| (it.lag_events, it.lag_seconds))
                .collect(),
        });
        if state.samples.len() > MAX_SAMPLES {
            state.samples.pop_front();
        }
        state.last = Some((Instant::now(), now, Arc::clone(&report)));
        Ok(report)
    }

    /// The lag of the last minutes.
    pub async fn series(&self) -> sqlx::Result<Series> {
        let report = self.report().await?;
        let state = self.state.lock().await;
        let names: Vec<String> = report
            .projections
            .iter()
            .map(|it| it.name.clone())
            .collect();
        let samples: Vec<&Sample> = state
            .samples
            .iter()
            .filter(|it| it.lag.len() == names.len())
            .collect();
        let column = |n: usize| samples.iter().map(move |it| it.lag[n]);
        Ok(Series {
            at: samples.iter().map(|it| it.at).collect(),
            events: (0..names.len())
                .map(|n| column(n).map(|lag| lag.0).collect())
                .collect(),
            seconds: (0..names.len())
                .map(|n| column(n).map(|lag| lag.1).collect())
                .collect(),
            names,
        })
    }
}

/// The stream's lag, which this process measures every two seconds.
fn relay() -> Relay {
    let samples = Samples::now();
    let value = |name| samples.of(name).first().map(|(_, value)| *value);
    match (
        value(metrics::STREAM_FORKED),
        value(metrics::STREAM_LAG_EVENTS),
        value(metrics::STREAM_LAG_SECONDS),
    ) {
        (Some(forked), _, _) if forked > 0.0 => Relay::Unknown {
            reason: format!("{forked} of its partitions have events that the log does not have"),
        },
        (_, Some(events), Some(seconds)) => Relay::of_lag(events as i64, seconds),
        _ => Relay::Unknown {
            reason: "this projector has not reached NATS since its start".to_owned(),
        },
    }
}
