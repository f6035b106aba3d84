//! Settings that every service has, as flags or environment variables.

use std::{path::PathBuf, time::Duration};

use axum::http::HeaderValue;
use clap::{Args, Command, Parser, ValueEnum};

use crate::{
    http::{TlsArgs, origin},
    slow::SlowArgs,
};

/// Limits of the HTTP server. Durations are written like `500ms`, `10s` or `2m`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP server")]
pub struct HttpArgs {
    /// The maximum number of open connections; further ones wait until one closes
    #[arg(long, env = "HTTP_MAX_CONNECTIONS", default_value = "20000", value_parser = at_least_one)]
    pub max_connections: usize,
    /// How long a client may take to send the header of a request, from its first byte; then the connection is closed
    #[arg(long, env = "HTTP_HEADER_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub header_timeout: Duration,
    /// How long a request may take from its header to its response; then it is answered with 503
    #[arg(long, env = "HTTP_REQUEST_TIMEOUT", default_value = "15s", value_parser = duration)]
    pub request_timeout: Duration,
    /// How long a connection may stay open without a request; then it is closed. Must be longer than a proxy or load
    /// balancer keeps connections for reuse, which is often 60s; from 60s to 120s is usual
    #[arg(long, env = "HTTP_IDLE_TIMEOUT", default_value = "75s", value_parser = duration)]
    pub idle_timeout: Duration,
    /// How long a client may stop reading a response; then the connection is closed, or in HTTP/2 the response is reset
    #[arg(long, env = "HTTP_WRITE_TIMEOUT", default_value = "20s", value_parser = duration)]
    pub write_timeout: Duration,
    /// The maximum size of a request body in bytes; a larger one is refused with 413. Most routes accept less
    #[arg(long, env = "HTTP_BODY_LIMIT", default_value = "1048576")]
    pub body_limit: usize,
    /// How long to serve on after SIGTERM while readiness says 503 and responses ask clients to close their connections. A load
    /// balancer needs this long to stop using the instance. 0 and Ctrl-C skip it; the projector has none
    #[arg(long, env = "SHUTDOWN_DRAIN", default_value = "5s", value_parser = duration_or_zero)]
    pub shutdown_drain: Duration,
    /// How long requests in flight may take to finish after that; then they are cancelled
    #[arg(long, env = "SHUTDOWN_GRACE", default_value = "10s", value_parser = duration)]
    pub shutdown_grace: Duration,
    /// The origins of pages that may call the API from a browser, such as `https://app.example,http://localhost:5173`; `*` is
    /// any. Without it, browsers let no page of another origin call it
    #[arg(long, env = "CORS_ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub cors_origins: Vec<HeaderValue>,
    #[command(flatten)]
    pub tls: TlsArgs,
}

/// The defaults of the flags.
impl Default for HttpArgs {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(20),
            body_limit: 1 << 20,
            shutdown_drain: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(10),
            cors_origins: Vec::new(),
            tls: TlsArgs::default(),
        }
    }
}

/// Logs and traces.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetryArgs {
    /// The format of log lines
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Which log lines are written: levels by module, such as `info,sqlx=debug`
    #[arg(long = "log", env = "RUST_LOG", default_value = "info")]
    pub filter: String,
    /// The collector that spans are exported to by OTLP over HTTP, for example <http://127.0.0.1:4318>; without it, no
    /// spans are exported
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// The share of requests whose spans are exported, from 0 to 1
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value = "1", value_parser = share)]
    pub trace_share: f64,
    /// Let the sampled flag of a request's `traceparent` decide if its spans are exported, instead of the share. Set it
    /// only behind a proxy that writes this header: otherwise clients decide what is exported
    #[arg(long, env = "TRUST_SAMPLED_FLAG")]
    pub trust_sampled_flag: bool,
    #[command(flatten)]
    pub slow: SlowArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text per entry
    Text,
    /// One JSON object per line
    Json,
}

/// The ways to log in to NATS, of which one may be set.
const CREDENTIALS: &str = "nats_credentials";

/// The NATS connection. Messages are signed in any case, but without credentials and TLS, everybody who reaches the server can
/// read them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "NATS")]
pub struct NatsArgs {
    /// URLs of NATS servers, separated by commas; the service starts and runs without them, and reconnects. With `tls://` only
    /// encrypted connections are made. A user and password in the first URL are used, unless other credentials are set
    #[arg(long, env = "NATS_URL", default_value = "nats://127.0.0.1:4222", value_parser = nats_url)]
    pub nats_url: String,
    /// The user to log in as, with NATS_PASSWORD
    #[arg(long, env = "NATS_USER", group = CREDENTIALS, requires = "nats_password")]
    pub nats_user: Option<String>,
    /// The password of NATS_USER
    #[arg(long, env = "NATS_PASSWORD", requires = "nats_user")]
    pub nats_password: Option<String>,
    /// The token to log in with
    #[arg(long, env = "NATS_TOKEN", group = CREDENTIALS)]
    pub nats_token: Option<String>,
    /// The file of the nkey seed to log in with
    #[arg(long, env = "NATS_NKEY_FILE", group = CREDENTIALS)]
    pub nats_nkey_file: Option<PathBuf>,
    /// The credentials file to log in with (JWT and seed, as `nsc` writes it)
    #[arg(long, env = "NATS_CREDS_FILE", group = CREDENTIALS)]
    pub nats_creds_file: Option<PathBuf>,
    /// The file of the certificates (PEM) that sign the servers' certificates; connections are then encrypted. Without it, the
    /// certificates of the operating system are used for `tls://`
    #[arg(long, env = "NATS_CA_FILE")]
    pub nats_ca_file: Option<PathBuf>,
}

impl NatsArgs {
    /// Without credentials.
    pub fn at(url: &str) -> Self {
        Self {
            nats_url: url.to_owned(),
            ..Self::default()
        }
    }
}

/// Parses the command line and the environment; ends the process with a message if they are invalid, and for `--help`.
pub fn parse<P: Parser>() -> P {
    let matches = hide_values(P::command()).get_matches();
    P::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// `--help` shows the names of environment variables, but not their values: some are secret, and any URL may contain a
/// password.
fn hide_values(command: Command) -> Command {
    command
        .mut_args(|arg| arg.hide_env_values(true))
        .mut_subcommands(hide_values)
}

/// Parses `500ms`, `10s`, `2m`, `1h` or `30d`; without a unit, seconds. Errors: zero, or anything else.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is not a duration such as 500ms, 10s or 2m"))?;
    let millis = match &text[digits.len()..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        unit => return Err(format!("{unit:?} is not a unit: use ms, s, m, h or d")),
    };
    match number.checked_mul(millis) {
        Some(0) | None => Err(format!("{text:?} is out of range")),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

/// The same, or `0`.
fn duration_or_zero(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        text => duration(text),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("{text:?} is not a number from 0 to 1")),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
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
