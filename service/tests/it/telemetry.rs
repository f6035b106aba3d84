use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, routing::post};
use feedmill_service::{
    config::{LogFormat, TelemetryArgs},
    telemetry,
};
use tracing::Instrument;

use crate::support::{short_limits, start};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A single test, since a process has one subscriber.
#[tokio::test(flavor = "multi_thread")]
async fn a_span_joins_its_parent_trace_and_is_exported_on_drop() {
    assert_eq!(telemetry::current_traceparent(), None);
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let collector = post(async move |body: Bytes| seen.lock().unwrap().extend_from_slice(&body));
    let server = start(Router::new().route("/v1/traces", collector), short_limits()).await;

    let args = TelemetryArgs {
        log_format: LogFormat::Json,
        filter: "warn,it=info,feedmill_service=info".to_owned(),
        otlp_endpoint: Some(server.url("")),
    };
    let guard = telemetry::init("test-service", &args).unwrap();
    let span = tracing::info_span!("test.parent.continue");
    telemetry::set_parent(&span, &format!("00-{TRACE}-b7ad6b7169203331-01"));
    let traceparent = async { telemetry::current_traceparent() }
        .instrument(span)
        .await
        .unwrap();
    assert!(
        traceparent.starts_with(&format!("00-{TRACE}-")),
        "{traceparent}"
    );
    assert!(!traceparent.contains("b7ad6b7169203331"), "{traceparent}");
    let odd = tracing::info_span!("test.parent.odd");
    telemetry::set_parent(&odd, "no traceparent");

    tokio::task::spawn_blocking(move || drop(guard))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sent = sent.lock().unwrap();
    let has = |needle: &[u8]| sent.windows(needle.len()).any(|window| window == needle);
    assert!(
        has(b"test.parent.continue") && has(b"test-service"),
        "{} bytes were exported",
        sent.len()
    );
}
