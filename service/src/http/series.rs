//! The metrics of requests.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use axum::http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

/// Of one method, route and status.
struct Series {
    method: &'static str,
    status: StatusCode,
    requests: Counter,
    seconds: Histogram,
}

thread_local! {
    /// By route. To look a metric up by its labels costs more than everything else that is done to count a request.
    static KNOWN: RefCell<HashMap<Box<str>, Vec<Series>>> = RefCell::default();
}

/// `http_requests_total{method,route,status}` and `http_request_duration_seconds{method,route}`.
pub fn count(method: &'static str, route: &str, status: StatusCode, took: Duration) {
    KNOWN.with_borrow_mut(|known| {
        if !known.contains_key(route) {
            known.insert(route.into(), vec![]);
        }
        let Some(all) = known.get_mut(route) else {
            return;
        };
        let is_it = |series: &Series| series.status == status && series.method == method;
        let index = all.iter().position(is_it).unwrap_or_else(|| {
            all.push(Series::new(method, route, status));
            all.len() - 1
        });
        all[index].requests.increment(1);
        all[index].seconds.record(took);
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
