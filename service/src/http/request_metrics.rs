//! The metrics of requests.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use axum::http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

/// The metric handles of one method, route and status.
struct Series {
    method: &'static str,
    status: StatusCode,
    requests: Counter,
    seconds: Histogram,
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
        series[index].requests.increment(1);
        series[index].seconds.record(duration);
    });
}

impl Series {
    fn new(method: &'static str, route: &str, status: StatusCode) -> Self {
        let route = route.to_owned();
        let labels = [("method", method.to_owned()), ("route", route)];
        Self {
            method,
            status,
            seconds: histogram!("http_request_duration_seconds", &labels),
            requests: {
                let [method, route] = labels;
                let status = ("status", status.as_str().to_owned());
                counter!("http_requests_total", &[method, route, status])
            },
        }
    }
}
