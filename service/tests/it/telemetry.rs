use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    routing::{get, post},
};
use feedmill_service::{
    HttpArgs, TelemetryArgs,
    config::LogFormat,
    slow::SlowArgs,
    telemetry::{self, current_traceparent},
};
use feedmill_tests::kit::wait_until;
use reqwest::Method;
use tracing::Instrument;

use crate::support::start;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A single test, since a process has one subscriber.
#[tokio::test(flavor = "multi_thread")]
async fn a_span_joins_its_parent_trace_and_is_exported_on_drop() {
    assert_eq!(current_traceparent(), None);
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let collector = post(async move |body: Bytes| seen.lock().unwrap().extend_from_slice(&body));
    let traceparent = get(async || current_traceparent().unwrap_or_default());
    let app = Router::new()
        .route("/v1/traces", collector)
        .route("/traceparent", traceparent);
    let server = start(app, HttpArgs::default()).await;

    let args = TelemetryArgs {
        log_format: LogFormat::Json,
        filter: "warn,it=info,feedmill_service=info".to_owned(),
        otlp_endpoint: Some(server.url("")),
        trace_share: 1.0,
        trust_sampled_flag: false,
        slow: SlowArgs::default(),
    };
    let guard = telemetry::init("test-service", &args).unwrap();
    let span = tracing::info_span!("test.parent.continue");
    telemetry::set_parent(&span, &format!("00-{TRACE}-b7ad6b7169203331-01"));
    let current = async { current_traceparent() }.instrument(span).await;
    let traceparent = current.unwrap();
    assert!(
        traceparent.starts_with(&format!("00-{TRACE}-")),
        "{traceparent}"
    );
    assert!(!traceparent.contains("b7ad6b7169203331"), "{traceparent}");
    for flags in ["00", "01"] {
        let client_parent = format!("00-{TRACE}-b7ad6b7169203331-{flags}");
        let request = server.client.request(Method::GET, "/traceparent");
        let request = request.header("traceparent", client_parent);
        let own = server.client.send(request).await.body;
        // The client's trace, but not its decision.
        assert!(own.starts_with(&format!("00-{TRACE}-")), "{own}");
        assert!(own.ends_with("-01"), "{own}");
    }
    let odd = tracing::info_span!("test.parent.odd");
    telemetry::set_parent(&odd, "no traceparent");

    tokio::task::spawn_blocking(move || drop(guard))
        .await
        .unwrap();
    let has =
        |sent: &[u8], text: &str| sent.windows(text.len()).any(|part| part == text.as_bytes());
    wait_until("the span and its service are exported", async || {
        let sent = sent.lock().unwrap();
        has(&sent, "test.parent.continue") && has(&sent, "test-service")
    })
    .await;
}
