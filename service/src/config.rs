//! Settings that every service has. Each can be given as a flag or in the environment, and `--help` tells.

use std::time::Duration;

use clap::{Args, ValueEnum};

/// Limits of the HTTP server. Durations are written like `500ms`, `10s` or `2m`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP server")]
pub struct HttpArgs {
    /// Connections served at once; further ones wait until one closes
    #[arg(long, env = "HTTP_MAX_CONNECTIONS", default_value = "20000", value_parser = at_least_one)]
    pub max_connections: usize,
    /// How long a client may take to send the header of a request
    #[arg(long, env = "HTTP_HEADER_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub header_timeout: Duration,
    /// How long a request may take from its header to its answer
    #[arg(long, env = "HTTP_REQUEST_TIMEOUT", default_value = "15s", value_parser = duration)]
    pub request_timeout: Duration,
    /// How long a connection may stay open with no request under way; up to twice as long, in fact
    #[arg(long, env = "HTTP_IDLE_TIMEOUT", default_value = "60s", value_parser = duration)]
    pub idle_timeout: Duration,
    /// How long a client may take nothing of an answer that is being sent
    #[arg(long, env = "HTTP_WRITE_TIMEOUT", default_value = "20s", value_parser = duration)]
    pub write_timeout: Duration,
    /// The largest body of a request, in bytes
    #[arg(long, env = "HTTP_BODY_LIMIT", default_value = "1048576")]
    pub body_limit: usize,
    /// How long requests under way may go on after SIGTERM
    #[arg(long, env = "SHUTDOWN_GRACE", default_value = "10s", value_parser = duration)]
    pub shutdown_grace: Duration,
}

/// The same as without any flag or variable.
impl Default for HttpArgs {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_secs(20),
            body_limit: 1 << 20,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// Logs and traces.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetryArgs {
    /// How log lines look
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// What is logged: levels by module, as in `info,sqlx=debug`
    #[arg(long = "log", env = "RUST_LOG", default_value = "info")]
    pub filter: String,
    /// Where spans go by OTLP over HTTP, for example <http://127.0.0.1:4318>; without it, nowhere
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line an entry
    Text,
    /// One JSON object a line
    Json,
}

/// Where NATS is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "NATS")]
pub struct NatsArgs {
    /// The NATS server, or several separated by commas; it may be absent, now or later
    #[arg(long, env = "NATS_URL", default_value = "nats://127.0.0.1:4222", value_parser = nats_url)]
    pub nats_url: String,
}

/// Reads `500ms`, `10s`, `2m` or `1h`. Zero is refused.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is no duration such as 500ms, 10s or 2m"))?;
    let millis = match &text[digits.len()..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        unit => return Err(format!("{unit:?} is no unit: use ms, s, m or h")),
    };
    match number.checked_mul(millis) {
        Some(0) | None => Err(format!("{text:?} is out of range")),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 is needed".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

fn nats_url(text: &str) -> Result<String, String> {
    for server in text.split(',') {
        server
            .parse::<async_nats::ServerAddr>()
            .map_err(|error| format!("{server:?}: {error}"))?;
    }
    Ok(text.to_owned())
}
