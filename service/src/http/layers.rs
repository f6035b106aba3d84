//! What surrounds every request: span, metrics, body limit, time limit, and a net under panics.

use std::{any::Any, time::Instant};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use feedmill_events::subject::TRACEPARENT;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument, field::Empty};

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
        .layer(CatchPanicLayer::custom(panicked))
        .layer(DefaultBodyLimit::max(args.body_limit))
        .layer(middleware::from_fn_with_state(args.clone(), limit))
        .layer(middleware::from_fn(observe))
}

// What the panic says was logged by the panic hook.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::internal_silent().into_response()
}

/// Limits of size and time. A handler that runs out of time is dropped where it stands.
async fn limit(State(args): State<HttpArgs>, request: Request, next: Next) -> Response {
    let answer = async {
        match extract::refuse_too_large(request, args.body_limit).await {
            Ok(mut request) => {
                request.extensions_mut().insert(BodyLimit(args.body_limit));
                next.run(request).await
            }
            Err(problem) => problem.into_response(),
        }
    };
    tokio::time::timeout(args.request_timeout, answer)
        .await
        .unwrap_or_else(|_| {
            let mut problem = Problem::unavailable("the request took too long and was given up");
            problem.code = "timeout";
            problem.into_response()
        })
}

/// A span and metrics for every request. The route is the pattern, never the path: labels stay few.
async fn observe(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = known(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "http.request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        method,
        route,
        status = Empty,
    );
    if let Some(parent) = request
        .headers()
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok())
    {
        telemetry::set_parent(&span, parent);
    }
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("status", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let took = start.elapsed();
    tracing::debug!(parent: &span, seconds = took.as_secs_f64(), "answered");
    metrics::histogram!("http_request_duration_seconds", "method" => method, "route" => route.clone())
        .record(took);
    metrics::counter!(
        "http_requests_total", "method" => method, "route" => route, "status" => status.as_u16().to_string()
    )
    .increment(1);
    response
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
