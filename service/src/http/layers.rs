//! What surrounds every request: span, metrics, body limit, time limit, and a net under panics.

use std::{panic::AssertUnwindSafe, pin::pin, task::Poll, time::Instant};

use axum::{
    Router,
    body::HttpBody,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use feedmill_events::subject::TRACEPARENT;
use futures::FutureExt;
use tracing::{Instrument, Level, Span, field::Empty};

use super::series;
use crate::{
    config::HttpArgs,
    extract::{self, BodyLimit},
    health::Health,
    problem::Problem,
    telemetry,
};

/// The whole of a service's HTTP: the routes of `app`, `/health/…` and `/metrics`, problem documents where
/// there is no route, and around all of it the limits of `args`, a span and metrics a request
/// (`http_requests_total{method,route,status}`, `http_request_duration_seconds{method,route}`).
pub fn standard(app: Router, args: &HttpArgs, health: &Health) -> Router {
    let metrics = telemetry::metrics();
    app.merge(health.router())
        .route(
            "/metrics",
            get(|| async move {
                (
                    [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
                    metrics.render(),
                )
            }),
        )
        .fallback(extract::not_found_fallback)
        .method_not_allowed_fallback(extract::method_not_allowed)
        .layer(middleware::from_fn_with_state(args.clone(), surround))
}

/// A span and metrics for every request, limits of its size and time, and an answer even if its handler panics.
/// All in one layer: each further one costs a request some allocations.
async fn surround(State(args): State<HttpArgs>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    // The pattern, never the path: labels stay few.
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = span(method, route, request.headers());
    let answer = limited(&args, request, next);
    let response = if span.is_disabled() {
        answer.await
    } else {
        answer.instrument(span.clone()).await
    };
    let status = response.status();
    span.record("status", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    if status == StatusCode::INTERNAL_SERVER_ERROR && span.is_disabled() {
        tracing::warn!(method, route, "a request ended so");
    }
    let took = start.elapsed();
    tracing::debug!(parent: &span, seconds = took.as_secs_f64(), "answered");
    series::count(method, route, status, took);
    response
}

/// Where traces are exported, of every request; otherwise for the log alone, and only if it wants them: what a span
/// costs is a good part of what an answer from memory costs.
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
    if !telemetry::traces() {
        return request_span!(Level::DEBUG);
    }
    let span = request_span!(Level::INFO);
    if let Some(parent) = headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok())
    {
        telemetry::set_parent(&span, parent);
    }
    span
}

/// A handler that runs out of time is dropped where it stands. What a panic says is logged by the panic hook.
async fn limited(args: &HttpArgs, request: Request, next: Next) -> Response {
    let answer = async {
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
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        answer.unwrap_or_else(|_| Problem::internal_silent().into_response())
    };
    let mut answer = pin!(answer);
    // What is answered at once needs no timer.
    if let Poll::Ready(answer) = futures::poll!(answer.as_mut()) {
        return answer;
    }
    tokio::time::timeout(args.request_timeout, answer)
        .await
        .unwrap_or_else(|_| {
            let mut problem = Problem::unavailable("the request took too long and was given up");
            problem.code = "timeout";
            problem.into_response()
        })
}

/// The method as a label: a client can make up methods, but not labels.
fn known(method: &Method) -> &'static str {
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
