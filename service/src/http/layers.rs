//! The middleware around every request: span, metrics, host, body limit, request timeout, and catching panics.

use std::{panic::AssertUnwindSafe, pin::pin, task::Poll, time::Instant};

use axum::{
    Router,
    body::HttpBody,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use feedmill_events::subject::TRACEPARENT;
use futures::FutureExt;
use tracing::{Instrument, Level, Span, field::Empty};

use super::{cors, host, request_metrics, timing::Finished};
use crate::{
    config::HttpArgs,
    extract::{self, BodyLimit},
    health::{self, Health},
    problem::{Problem, codes},
    telemetry,
};

/// A browser must not guess another type than the response says.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The complete router of a service for its clients: the routes of `app` and `/health/live`, problem documents for unknown
/// routes, and around all of them the limits of `args`, a span, and the metrics
/// `http_requests_total{method,route,status}` and `http_request_duration_seconds{method,route}`, which do not count what a
/// browser asks before a request of another origin.
pub fn standard(app: Router, args: &HttpArgs) -> Router {
    let app = complete(app.merge(health::live()), args);
    match cors::layer(&args.cors_origins) {
        Some(cors) => app.layer(cors),
        None => app,
    }
}

/// Pages for operators' browsers, which refuse forged requests themselves.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    pub router: Router,
    /// Where all of its paths begin, such as `/console`. Empty without pages.
    pub path: &'static str,
}

impl Pages {
    fn have(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path);
        !self.path.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The router of a service for its operators: its own routes, `/metrics` and `/health/…`, and pages.
pub fn admin(own: Router, pages: Pages, args: &HttpArgs, health: &Health) -> Router {
    let metrics = telemetry::metrics();
    let app = own.merge(health.router()).route(
        "/metrics",
        get(|| async move {
            (
                [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
                metrics.render(),
            )
        }),
    );
    let app = app.merge(pages.router.clone());
    complete(app, args).layer(from_fn_with_state(pages, refuse_pages))
}

/// Refuses what a page in an operator's browser sends to anything but `pages`: there is no token here that the page would need. Browsers
/// send `Origin` with every request that is not a GET or HEAD.
async fn refuse_pages(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    let is_sent_by_page =
        !request.method().is_safe() && request.headers().contains_key(header::ORIGIN);
    if is_sent_by_page && !pages.have(request.uri().path()) {
        let message = "a page in a browser may not change anything here";
        return Problem::field("Origin", message).into_response();
    }
    next.run(request).await
}

fn complete(app: Router, args: &HttpArgs) -> Router {
    app.fallback(extract::not_found_fallback)
        .method_not_allowed_fallback(extract::method_not_allowed)
        .layer(from_fn_with_state(args.clone(), middleware))
}

/// Records a span and metrics for a request, enforces its limits, and answers even if its handler panics. All in one
/// layer, since each layer costs a request some allocations.
async fn middleware(State(args): State<HttpArgs>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = method_label(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    // The pattern, not the path, so that the number of labels is bounded.
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = span(method, route, request.headers());
    let traceparent = request.headers().get(TRACEPARENT).cloned();
    let response = with_limits(&args, request, next);
    let mut response = if span.is_disabled() {
        response.await
    } else {
        response.instrument(span.clone()).await
    };
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    let status = response.status();
    span.record("status", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    if status == StatusCode::INTERNAL_SERVER_ERROR && span.is_disabled() {
        // The error was logged without the span, so this line names the request.
        tracing::warn!(
            method,
            route,
            "http: a request failed with 500, see the error before"
        );
    }
    let duration = start.elapsed();
    let finished = Finished {
        method,
        route,
        traceparent: traceparent.as_ref(),
        span: &span,
        duration,
    };
    finished.report(&mut response);
    tracing::debug!(parent: &span, seconds = duration.as_secs_f64(), "http: sent a response");
    request_metrics::record(method, route, status, duration);
    response
}

/// The span of a request: at level INFO if traces are exported, otherwise at DEBUG and so by default disabled, since a
/// span costs a good part of what a cached response costs.
fn span(method: &'static str, route: &str, headers: &HeaderMap) -> Span {
    macro_rules! request_span {
        ($level:expr) => {
            tracing::span!(
                $level,
                "http.request",
                otel.name = format!("{method} {route}"),
                otel.kind = "server",
                otel.status_code = Empty,
                method,
                route,
                status = Empty,
            )
        };
    }
    if !telemetry::exports_traces() {
        return request_span!(Level::DEBUG);
    }
    let span = request_span!(Level::INFO);
    if let Some(parent) = headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok())
    {
        telemetry::set_client_parent(&span, parent);
    }
    span
}

/// Runs the handler within the limits. On timeout its future is dropped. The panic hook logs the message of a panic.
async fn with_limits(args: &HttpArgs, request: Request, next: Next) -> Response {
    let response = async {
        if let Err(problem) = host::check(&request) {
            return problem.into_response();
        }
        let request = if request.body().is_end_stream() {
            request
        } else {
            match extract::refuse_too_large(request, args.body_limit).await {
                Ok(mut request) => {
                    request.extensions_mut().insert(BodyLimit(args.body_limit));
                    request
                }
                Err(problem) => return problem.into_response(),
            }
        };
        let response = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        response.unwrap_or_else(|_| Problem::internal_silent().into_response())
    };
    let mut response = pin!(response);
    // A response that is ready at once needs no timer.
    if let Poll::Ready(response) = futures::poll!(response.as_mut()) {
        return response;
    }
    tokio::time::timeout(args.request_timeout, response)
        .await
        .unwrap_or_else(|_| {
            let detail = "the request took too long and was cancelled";
            Problem::temporary(codes::TIMEOUT, detail).into_response()
        })
}

/// The method as a metric label. Clients can make up methods, which share one label.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
