//! Logs, metrics and traces.

pub mod samples;

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
use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::{
    config::{LogFormat, TelemetryArgs},
    sql::slow_statements,
};

/// Histogram buckets, from 0.1 ms to the request timeout.
const SECONDS_BUCKETS: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 15.0,
];

/// How often the recorder aggregates its samples into buckets, so that they do not accumulate between scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

static EXPORTS_TRACES: AtomicBool = AtomicBool::new(false);

/// Which requests of clients are traced.
#[derive(Debug, Clone, Copy)]
struct Sampling {
    /// From 0 to 1.
    share: f64,
    trust_sampled_flag: bool,
}

static SAMPLING: OnceLock<Sampling> = OnceLock::new();

/// Dropping it exports the remaining spans.
#[must_use = "the remaining spans are exported when this is dropped at the end of main"]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Starts logs (to standard error), metrics and, if there is an endpoint, traces. Call it once, first in main. Errors:
/// an invalid filter or endpoint, or a second call. Panics outside a tokio runtime.
pub fn init(service_name: &'static str, args: &TelemetryArgs) -> anyhow::Result<Telemetry> {
    install_crypto_provider();
    metrics();
    let provider = args
        .otlp_endpoint
        .as_deref()
        .filter(|url| !url.is_empty())
        .map(|url| exporter(service_name, url, args.trace_share));
    let provider = provider.transpose()?;
    let _ = SAMPLING.set(Sampling {
        share: args.trace_share,
        trust_sampled_flag: args.trust_sampled_flag,
    });
    EXPORTS_TRACES.store(provider.is_some(), Ordering::Relaxed);
    let filter = EnvFilter::try_new(&args.filter).with_context(|| {
        format!(
            "{:?} is not a log filter such as info,sqlx=debug",
            args.filter
        )
    })?;
    // Colours only on a terminal, and not with NO_COLOR (https://no-color.org).
    let colors = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let logs = tracing_subscriber::fmt::layer()
        .with_ansi(colors)
        .with_writer(std::io::stderr);
    let logs = match args.log_format {
        LogFormat::Text => logs.boxed(),
        LogFormat::Json => logs.json().flatten_event(true).boxed(),
    };
    // They have lines of their own.
    let logs = logs.with_filter(filter_fn(|metadata| {
        !slow_statements::is_slow_statement(metadata)
    }));
    args.slow.apply();
    let (slow, slow_statements) = slow_statements::layer();
    let traces = provider
        .as_ref()
        .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(service_name)));
    tracing_subscriber::registry()
        .with(filter)
        .with(logs)
        .with(traces)
        .with(slow)
        .try_init()
        .context("telemetry was already started")?;
    tokio::spawn(slow_statements::report(slow_statements));
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(
            location,
            message = panic.payload_as_str(),
            "panicked: this is a bug, please report it"
        );
    }));
    Ok(Telemetry { provider })
}

/// Whether spans are exported.
pub fn exports_traces() -> bool {
    EXPORTS_TRACES.load(Ordering::Relaxed)
}

fn exporter(
    service_name: &'static str,
    endpoint: &str,
    share: f64,
) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(Duration::from_secs(5))
        .build()
        .with_context(|| format!("cannot export spans to {endpoint:?}"))?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
            share,
        ))))
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
            tracing::warn!(%error, "telemetry: cannot export the last spans");
        }
    }
}

/// The metrics of this process; `render()` gives Prometheus' text format. The first call installs the recorder.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)
                .unwrap_or_else(|_| PrometheusBuilder::new())
                .build_recorder();
            let handle = recorder.handle();
            // Fails only if another recorder is installed; then this one stays empty.
            let _ = metrics::set_global_recorder(recorder);
            let upkeep = handle.clone();
            std::thread::spawn(move || {
                loop {
                    std::thread::sleep(UPKEEP_INTERVAL);
                    upkeep.run_upkeep();
                }
            });
            handle
        })
        .clone()
}

/// Installs ring as the TLS provider of this process. Further calls do nothing.
pub fn install_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The W3C `traceparent` of the current span. None if traces are not exported.
pub fn current_traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove("traceparent")
}

/// The trace of the current span. None if traces are not exported.
pub fn current_trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let parent = span.span_context();
    parent.is_valid().then(|| parent.trace_id().to_string())
}

/// Makes a span part of the trace of an event, whose sampled flag decides if it is exported. The span must not have been
/// entered. An invalid traceparent is ignored.
pub fn set_parent(span: &Span, traceparent: &str) {
    let _ = span.set_parent(extract(traceparent));
}

/// Makes a span part of the trace of a client's request. The client's sampled flag is not trusted, unless a setting says
/// so: it could have everything exported, or nothing. Otherwise as [`set_parent`].
pub(crate) fn set_client_parent(span: &Span, traceparent: &str) {
    let parent = extract(traceparent);
    let _ = span.set_parent(match SAMPLING.get() {
        Some(sampling) => sampling.decide(parent),
        None => parent,
    });
}

fn extract(traceparent: &str) -> Context {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    TraceContextPropagator::new().extract(&carrier)
}

impl Sampling {
    fn decide(self, context: Context) -> Context {
        let parent = context.span().span_context().clone();
        if self.trust_sampled_flag || !parent.is_valid() {
            return context;
        }
        let is_sampled = rand::random::<f64>() < self.share;
        Context::new().with_remote_span_context(SpanContext::new(
            parent.trace_id(),
            parent.span_id(),
            parent.trace_flags().with_sampled(is_sampled),
            true,
            parent.trace_state().clone(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a request is exported whose client set the sampled flag, and one whose client did not.
    fn decisions(share: f64, trust_sampled_flag: bool) -> [bool; 2] {
        let sampling = Sampling {
            share,
            trust_sampled_flag,
        };
        ["01", "00"].map(|flags| {
            let traceparent =
                format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
            let context = sampling.decide(extract(&traceparent));
            let span = context.span();
            let parent = span.span_context();
            assert_eq!(parent.span_id().to_string(), "b7ad6b7169203331");
            parent.is_sampled()
        })
    }

    #[test]
    fn the_sampled_flag_of_a_client_is_trusted_only_if_a_setting_says_so() {
        assert_eq!(decisions(1.0, false), [true, true]);
        assert_eq!(decisions(0.0, false), [false, false]);
        assert_eq!(decisions(0.5, true), [true, false]);
    }
}
