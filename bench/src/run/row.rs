//! The rows of the results: what is compared, the target, and the outcome.

use serde::Serialize;

use crate::summary::Summary;

#[derive(Debug, Clone, Copy, Serialize)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
}

pub struct Row {
    pub key: &'static str,
    /// `measured : compared with`.
    pub what: &'static str,
    pub target: Target,
}

use Target::{AtLeast, AtMost};

/// In the order of the table.
pub const ROWS: [Row; 19] = [
    row(
        "cached",
        "cached feed, requests/s : a bare axum handler that sends the same bytes",
        AtLeast(0.7),
    ),
    row(
        "mixed",
        "feed with 90 % hits and 1 % writes, requests/s : the same bare handler",
        AtLeast(0.4),
    ),
    row(
        "uncached",
        "uncached feed, requests/s : the same SQL in a bare sqlx loop, as many connections",
        AtLeast(0.6),
    ),
    row("feed", "uncached feed p50, p99 : N+1 feed", AtLeast(20.0)),
    row(
        "digest",
        "uncached digest p50, p99 : N+1 digest",
        AtLeast(20.0),
    ),
    row(
        "inbox",
        "conversations with 200 of them p50, p99 : N+1 inbox",
        AtLeast(20.0),
    ),
    row(
        "private",
        "uncached feed where half of the posts are limited p50, p99 : N+1 feed with its audience filter",
        AtLeast(20.0),
    ),
    row(
        "private_loop",
        "the same, requests/s : the same SQL in a bare sqlx loop, as many connections",
        AtLeast(0.6),
    ),
    row(
        "private_rebuild",
        "events/s of rebuild --all : INSERT … SELECT of the same rows, half of the posts limited",
        AtLeast(0.33),
    ),
    row("hidden", "worst-case pages, p99 : 100 ms", AtMost(1.0)),
    row(
        "rights",
        "change of a tag, membership or block acknowledged → effective at two read-apis, p99 : 1 s",
        AtMost(1.0),
    ),
    row(
        "commands",
        "commands/s at 64 connections : the same, one transaction each, bare sqlx",
        AtLeast(2.0),
    ),
    row(
        "hot",
        "likes of one post/s at 64 connections : the same, one transaction each, bare sqlx",
        AtLeast(5.0),
    ),
    row(
        "append",
        "commands/s at 64 connections : bare appends, one commit each (pgbench)",
        AtLeast(0.5),
    ),
    row(
        "visible",
        "acknowledged → in a follower's feed, at 300 commands/s : 10 ms (p50), 50 ms (p99)",
        AtMost(1.0),
    ),
    row(
        "rebuild",
        "events/s of rebuild --all : INSERT … SELECT of the same rows",
        AtLeast(0.33),
    ),
    row(
        "scale",
        "uncached feed p50 with 10⁶ posts : with 10⁴ posts",
        AtMost(1.3),
    ),
    row(
        "memory",
        "memory of read-api with the cache full : CACHE_MAX_BYTES + 100 MiB",
        AtMost(1.0),
    ),
    row(
        "brotli",
        "bytes of a feed page, brotli : plain",
        AtMost(0.3),
    ),
];

const fn row(key: &'static str, what: &'static str, target: Target) -> Row {
    Row { key, what, target }
}

impl Target {
    pub fn is_met(self, value: f64) -> bool {
        match self {
            AtLeast(target) => value >= target,
            AtMost(target) => value <= target,
        }
    }

    /// The value relative to the target: 1 is just met, more is better.
    pub fn share(self, value: f64) -> f64 {
        match self {
            AtLeast(target) => value / target,
            AtMost(target) => target / value.max(1e-9),
        }
    }

    pub fn text(self) -> String {
        match self {
            AtLeast(target) => format!("≥ {target}"),
            AtMost(target) => format!("≤ {target}"),
        }
    }
}

/// The outcome of a row.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    pub key: &'static str,
    /// The value that is compared with the target.
    pub value: f64,
    /// The text of the value, if it is more than one number.
    pub shown: Option<String>,
    pub ours: String,
    pub other: String,
    /// Further results.
    pub note: String,
    /// The reason why there is no valid value.
    pub failed: Option<String>,
    /// p50 and p99 of both sides in milliseconds, in latency rows.
    pub latencies: Option<[[f64; 2]; 2]>,
    pub runs: [Vec<Summary>; 2],
}

/// The runs of one side.
#[derive(Debug, Clone, Default)]
pub struct Runs(pub Vec<Summary>);

impl Runs {
    pub fn push(&mut self, run: Summary) {
        self.0.push(run);
    }

    pub fn per_second(&self) -> f64 {
        median(self.0.iter().map(Summary::per_second))
    }

    /// The median of the runs' p50 in milliseconds.
    pub fn p50(&self) -> f64 {
        median(self.0.iter().map(|run| run.p50 / 1e3))
    }

    /// The median of the runs' p99 in milliseconds.
    pub fn p99(&self) -> f64 {
        median(self.0.iter().map(|run| run.p99 / 1e3))
    }

    /// The reason why the runs are not valid.
    pub fn failure(&self) -> Option<String> {
        let run = self.0.iter().find(|run| run.errors > 0 || run.count == 0)?;
        let reason = run
            .first_error
            .as_deref()
            .unwrap_or("no request was measured");
        Some(format!("{} errors: {reason}", run.errors))
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n.is_multiple_of(2) => f64::midpoint(values[n / 2 - 1], values[n / 2]),
        n => values[n / 2],
    }
}

impl Outcome {
    /// The ratio of the rates in requests per second. A run with an error fails the row.
    pub fn of_rates(key: &'static str, ours: &Runs, other: &Runs) -> Self {
        Self {
            key,
            value: ours.per_second() / other.per_second(),
            ours: format!("{:.0}/s", ours.per_second()),
            other: format!("{:.0}/s", other.per_second()),
            failed: ours.failure().or(other.failure()),
            runs: [ours.0.clone(), other.0.clone()],
            ..Self::default()
        }
    }

    /// The ratio of the latencies at p50 and at p99: the smaller one is the value. A run with an error fails the row.
    pub fn of_latencies(key: &'static str, ours: &Runs, other: &Runs) -> Self {
        let (p50, p99) = (other.p50() / ours.p50(), other.p99() / ours.p99());
        let text = |runs: &Runs| format!("{:.2} ms, {:.2} ms", runs.p50(), runs.p99());
        Self {
            key,
            value: p50.min(p99),
            shown: Some(format!("{p50:.1}, {p99:.1}")),
            ours: text(ours),
            other: text(other),
            failed: ours.failure().or(other.failure()),
            latencies: Some([[ours.p50(), ours.p99()], [other.p50(), other.p99()]]),
            runs: [ours.0.clone(), other.0.clone()],
            ..Self::default()
        }
    }

    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    pub fn of_failure(key: &'static str, reason: String) -> Self {
        Self {
            key,
            value: f64::NAN,
            failed: Some(reason),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0].into_iter()) - 2.5).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn a_run_with_an_error_fails_its_row() {
        let good = Runs(vec![Summary {
            count: 10,
            seconds: 1.0,
            ..Summary::default()
        }]);
        let mut bad = good.clone();
        bad.0[0].errors = 1;
        assert!(Outcome::of_rates("x", &good, &good).failed.is_none());
        assert!(Outcome::of_rates("x", &good, &bad).failed.is_some());
    }

    #[test]
    fn a_target_is_a_minimum_or_a_maximum() {
        assert!(AtLeast(0.7).is_met(0.8) && !AtLeast(0.7).is_met(0.6));
        assert!(AtMost(0.3).is_met(0.2) && !AtMost(0.3).is_met(0.4));
        assert!(!AtLeast(0.7).is_met(f64::NAN));
        assert!(AtMost(0.3).share(0.6) < 1.0 && AtLeast(2.0).share(4.0) > 1.0);
    }
}
