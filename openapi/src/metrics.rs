//! `docs/metrics.md`: the metrics of all services, from their lists.

use std::fmt::Write;

use feedmill_service::metrics::{COMMON, Kind, Metric};

const HEAD: &str = "\
# Metrics

Each service has its metrics at `/metrics` of its `ADMIN_LISTEN`, in Prometheus' text format. [operations.md](operations.md)
says which of them to watch. This file is made from the lists in the code by `cargo run -p openapi`; a test compares it with what a
running system has.

- A **counter** counts since the start of the process: its rate matters.
- A **gauge** is a value of now.
- A **histogram** has the buckets 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250 and 500 ms, 1, 2.5, 5 and 15 s if its unit is
  seconds. Otherwise it is a summary with quantiles of the last minutes.

`feed_…`, `digest_…`, `post_…`, `connection_…`, `db_query_latency_seconds`, `users_total`, `posts_total` and
`active_connections_total` are the names that operators of other backends know. Where a metric with labels says the same, both
are counted in one place.
";

pub fn text() -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    let services = [
        ("All services", COMMON),
        ("write-api", write_api::metrics::METRICS),
        ("projector", projector::metrics::METRICS),
        ("read-api", read_api::METRICS),
    ];
    for (service, metrics) in services {
        write!(
            text,
            "\n## {service}\n\n| metric | kind | unit | meaning |\n|---|---|---|---|\n"
        )?;
        for metric in metrics {
            row(metric, &mut text)?;
        }
    }
    Ok(text)
}

fn row(metric: &Metric, text: &mut String) -> std::fmt::Result {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let labels = if metric.labels.is_empty() {
        String::new()
    } else {
        format!(" {{{}}}", metric.labels.join(", "))
    };
    let (name, unit, meaning) = (metric.name, metric.unit, metric.meaning);
    writeln!(text, "| `{name}`{labels} | {kind} | {unit} | {meaning} |")
}
