//! Logs, metrics and traces of a process.

use std::io::IsTerminal as _;
use std::{
    collections::HashMap,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::{propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, TelemetryArgs};

/// From 0.5 ms to the longest request: what people wait for.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0,
];

/// How often the recorder folds its samples into buckets, so that they do not pile up between scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

static TRACES: AtomicBool = AtomicBool::new(false);

/// Keeps telemetry going; dropping it sends the spans that are left.
#[must_use = "spans that are left are sent when this is dropped at the end of main"]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Starts logs (standard error), metrics and, if an endpoint is given, traces. To be called once, first in
/// main. Errors: a filter or endpoint that does not parse, or a second call.
pub fn init(service_name: &'static str, args: &TelemetryArgs) -> anyhow::Result<Telemetry> {
    crypto();
    metrics();
    let provider = args
        .otlp_endpoint
        .as_deref()
        .filter(|url| !url.is_empty())
        .map(|url| exporter(service_name, url));
    let provider = provider.transpose()?;
    TRACES.store(provider.is_some(), Ordering::Relaxed);
    let filter = EnvFilter::try_new(&args.filter)
        .with_context(|| format!("{:?} is no log filter such as info,sqlx=debug", args.filter))?;
    // Colours are for people at a terminal who have not asked for none.
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let logs = tracing_subscriber::fmt::layer()
        .with_ansi(colours)
        .with_writer(std::io::stderr);
    let logs = match args.log_format {
        LogFormat::Text => logs.boxed(),
        LogFormat::Json => logs.json().flatten_event(true).boxed(),
    };
    let traces = provider
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(service_name)));
    tracing_subscriber::registry()
        .with(filter)
        .with(logs)
        .with(traces)
        .try_init()
        .context("telemetry was started before")?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(
            place,
            message = panic.payload_as_str(),
            "a bug: the code panicked"
        );
    }));
    Ok(Telemetry { provider })
}

/// Whether spans are exported.
pub fn traces() -> bool {
    TRACES.load(Ordering::Relaxed)
}

fn exporter(service_name: &'static str, endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(Duration::from_secs(5))
        .build()
        .with_context(|| format!("cannot send spans to {endpoint:?}"))?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name(service_name).build())
        .build())
}

impl Telemetry {
    pub fn metrics(&self) -> PrometheusHandle {
        metrics()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take()
            && let Err(error) = provider.shutdown_with_timeout(Duration::from_secs(5))
        {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

/// The metrics of this process, in Prometheus' text format by `render()`. The first call installs the
/// recorder.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
                .unwrap_or_else(|_| PrometheusBuilder::new())
                .build_recorder();
            let handle = recorder.handle();
            // Fails only if somebody installed another one; then this one stays empty.
            let _ = metrics::set_global_recorder(recorder);
            let upkeep = handle.clone();
            std::thread::spawn(move || {
                loop {
                    std::thread::sleep(UPKEEP);
                    upkeep.run_upkeep();
                }
            });
            handle
        })
        .clone()
}

/// Chooses ring for TLS, for everything in this process. Calling it again does nothing.
pub fn crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The W3C `traceparent` of the current span; none when no traces are exported.
pub fn current_traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove("traceparent")
}

/// Makes a span that has not been entered part of the trace that came in an event or a header. What is no
/// traceparent is ignored.
pub fn set_parent(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
}
