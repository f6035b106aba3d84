//! The metrics of requests.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use axum::http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

/// Metrics of single routes, under the names that operators of other systems know: the method and route, the requests (if they are
/// not the same for both), and the latency.
const NAMED: [(&str, &str, Option<&str>, &str); 3] = [
    (
        "GET",
        "/v1/feed",
        Some("feed_requests_total"),
        "feed_latency_seconds",
    ),
    (
        "GET",
        "/v1/digest",
        Some("digest_requests_total"),
        "digest_latency_seconds",
    ),
    ("POST", "/v1/posts", None, "post_creation_latency_seconds"),
];

/// The metric handles of one method, route and status.
struct Series {
    method: &'static str,
    status: StatusCode,
    requests: Counter,
    seconds: Histogram,
    named: Option<(Option<Counter>, Histogram)>,
}

thread_local! {
    /// By route. Looking a metric up by its labels costs more than everything else that recording a request takes.
    static SERIES: RefCell<HashMap<Box<str>, Vec<Series>>> = RefCell::default();
}

/// Records a request in `http_requests_total{method,route,status}` and `http_request_duration_seconds{method,route}`.
pub(super) fn record(method: &'static str, route: &str, status: StatusCode, duration: Duration) {
    SERIES.with_borrow_mut(|routes| {
        if !routes.contains_key(route) {
            routes.insert(route.into(), vec![]);
        }
        let Some(series) = routes.get_mut(route) else {
            return;
        };
        let matches = |series: &Series| series.status == status && series.method == method;
        let index = series.iter().position(matches).unwrap_or_else(|| {
            series.push(Series::new(method, route, status));
            series.len() - 1
        });
        series[index].record(duration);
    });
}

impl Series {
    fn record(&self, duration: Duration) {
        self.requests.increment(1);
        self.seconds.record(duration);
        if let Some((requests, seconds)) = &self.named {
            if let Some(requests) = requests {
                requests.increment(1);
            }
            seconds.record(duration);
        }
    }

    fn new(method: &'static str, route: &str, status: StatusCode) -> Self {
        let named = NAMED
            .iter()
            .find(|(of, path, ..)| (*of, *path) == (method, route));
        let named = named.map(|(_, _, requests, seconds)| {
            (requests.map(|name| counter!(name)), histogram!(*seconds))
        });
        let route = route.to_owned();
        let labels = [("method", method.to_owned()), ("route", route)];
        Self {
            method,
            status,
            named,
            seconds: histogram!("http_request_duration_seconds", &labels),
            requests: {
                let [method, route] = labels;
                let status = ("status", status.as_str().to_owned());
                counter!("http_requests_total", &[method, route, status])
            },
        }
    }
}
