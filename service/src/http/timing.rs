//! How long a request took: `Server-Timing`, `X-Process-Time`, and a log line if it was slow.

use std::{fmt::Write as _, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::Response,
};
use tracing::{Level, Span};

use crate::slow::{self, log_slow};

pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const X_PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");

/// An extension of a response: how long the request has waited because it asked to, for example for a position.
#[derive(Debug, Clone, Copy)]
pub struct Waited(pub Duration);

/// A request whose response is ready.
pub(super) struct Finished<'a> {
    pub method: &'static str,
    pub route: &'a str,
    /// The value of the request's `traceparent`, if it has one.
    pub traceparent: Option<&'a HeaderValue>,
    pub span: &'a Span,
    /// From its header to its response.
    pub duration: Duration,
}

impl Finished<'_> {
    /// Adds the headers, and logs a slow request.
    ///
    /// What must not be seen is answered like what does not exist, but may take another time: with 404, or with 204 where an account
    /// takes back an act of its own. These answers have no such headers.
    pub fn report(&self, response: &mut Response) {
        let waited = response
            .extensions()
            .get::<Waited>()
            .map_or(Duration::ZERO, |waited| waited.0);
        let worked = self.duration.saturating_sub(waited);
        if has_times(self.method, response.status()) {
            add_headers(response, self.duration, waited, worked);
        }
        if let Some(level) = slow::requests().level(worked) {
            self.log(level, response.status(), worked);
        }
    }

    fn log(&self, level: Level, status: StatusCode, worked: Duration) {
        let Self { method, route, .. } = self;
        let _entered = self.span.enter();
        let trace_id = crate::telemetry::current_trace_id();
        let trace_id = trace_id.or_else(|| trace_id_of(self.traceparent?));
        let (status, seconds) = (status.as_u16(), worked.as_secs_f64());
        log_slow!(
            level,
            method,
            route,
            status,
            seconds,
            trace_id,
            "http: a request was slow"
        );
    }
}

/// Whether the answers with this status have the headers.
pub(crate) fn has_times(method: &str, status: StatusCode) -> bool {
    status != StatusCode::NOT_FOUND && (method != "DELETE" || status != StatusCode::NO_CONTENT)
}

/// `Server-Timing` in milliseconds, after what the handler has put there, and `X-Process-Time` in seconds.
fn add_headers(response: &mut Response, total: Duration, waited: Duration, worked: Duration) {
    let headers = response.headers_mut();
    let mut timing = String::with_capacity(96);
    if let Some(parts) = headers
        .get(SERVER_TIMING)
        .and_then(|value| value.to_str().ok())
    {
        timing.push_str(parts);
        timing.push_str(", ");
    }
    if !waited.is_zero() {
        push_timing(&mut timing, "wait", waited);
        timing.push_str(", ");
    }
    push_timing(&mut timing, "total", total);
    if let Ok(timing) = HeaderValue::try_from(timing) {
        headers.insert(SERVER_TIMING, timing);
    }
    let micros = worked.as_micros();
    let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    if let Ok(seconds) = HeaderValue::try_from(seconds) {
        headers.insert(X_PROCESS_TIME, seconds);
    }
}

/// Appends a metric of `Server-Timing`, such as `db;dur=0.731`.
pub fn push_timing(text: &mut String, name: &str, took: Duration) {
    let micros = took.as_micros() as u64;
    let _ = write!(text, "{name};dur={}.{:03}", micros / 1000, micros % 1000);
}

/// The trace of a valid `traceparent` (W3C Trace Context). Anything else could be any text.
fn trace_id_of(traceparent: &HeaderValue) -> Option<String> {
    let id = traceparent.to_str().ok()?.split('-').nth(1)?;
    let is_valid = id.len() == 32
        && id
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_valid.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn finish(mut response: Response) -> [Option<String>; 2] {
        let finished = Finished {
            method: "GET",
            route: "/",
            traceparent: None,
            span: &Span::none(),
            duration: Duration::from_micros(2_500),
        };
        finished.report(&mut response);
        [SERVER_TIMING, X_PROCESS_TIME].map(|name| {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        })
    }

    #[test]
    fn the_headers_have_the_parts_the_wait_and_the_total() {
        let mut response = Response::new(Body::empty());
        let parts = HeaderValue::from_static("db;dur=0.700");
        response.headers_mut().insert(SERVER_TIMING, parts);
        response
            .extensions_mut()
            .insert(Waited(Duration::from_micros(1_500)));
        let expected = "db;dur=0.700, wait;dur=1.500, total;dur=2.500";
        assert_eq!(
            finish(response),
            [Some(expected.to_owned()), Some("0.001000".to_owned())]
        );
    }

    #[test]
    fn what_does_not_exist_has_no_times() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        assert_eq!(finish(response), [None, None]);
    }

    #[test]
    fn an_act_that_is_undone_has_no_times() {
        assert!(!has_times("DELETE", StatusCode::NO_CONTENT));
        assert!(
            has_times("PUT", StatusCode::NO_CONTENT) && has_times("DELETE", StatusCode::CONFLICT)
        );
    }

    #[test]
    fn only_a_valid_trace_is_logged() {
        let of = |text: &'static str| trace_id_of(&HeaderValue::from_static(text));
        let id = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(
            of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").as_deref(),
            Some(id)
        );
        assert_eq!(
            of("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            None
        );
        assert_eq!(of("00-mail@example.com-b7ad6b7169203331-01"), None);
        assert_eq!(of(""), None);
    }
}
