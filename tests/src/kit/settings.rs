//! Settings of the tests, from the environment: `cargo test` has no arguments for them.

use std::path::PathBuf;

/// An environment variable, unless it is missing or empty.
#[expect(
    clippy::disallowed_methods,
    reason = "a test binary has no command line of its own"
)]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The PostgreSQL server on which tests create databases, as a superuser.
pub fn test_database_url() -> String {
    setting("TEST_DATABASE_URL").expect(
        "TEST_DATABASE_URL must be the URL of a PostgreSQL superuser, for example \
         postgres://postgres@127.0.0.1:5432/postgres (deploy/test sets it)",
    )
}

/// The nats-server to run: `NATS_SERVER_BIN`, or the one in the PATH.
pub fn nats_server() -> PathBuf {
    setting("NATS_SERVER_BIN")
        .unwrap_or_else(|| "nats-server".to_owned())
        .into()
}

/// The browser and its driver: `CHROMIUM_BIN` and `CHROMEDRIVER_BIN`, or those in the PATH.
pub fn browser() -> (PathBuf, PathBuf) {
    let program = |name: &str, default: &str| setting(name).unwrap_or_else(|| default.to_owned());
    (
        program("CHROMIUM_BIN", "/usr/bin/chromium").into(),
        program("CHROMEDRIVER_BIN", "chromedriver").into(),
    )
}

/// Prometheus and promtool: `PROMETHEUS_BIN` and `PROMTOOL_BIN`, or those in the PATH.
pub fn prometheus() -> (PathBuf, PathBuf) {
    let program = |name: &str, default: &str| setting(name).unwrap_or_else(|| default.to_owned());
    (
        program("PROMETHEUS_BIN", "prometheus").into(),
        program("PROMTOOL_BIN", "promtool").into(),
    )
}

/// A program of PostgreSQL: from `POSTGRES_BIN_DIR`, or of the newest version in /usr/lib/postgresql.
pub fn postgres_program(name: &str) -> PathBuf {
    let configured = setting("POSTGRES_BIN_DIR").map(|folder| PathBuf::from(folder).join(name));
    let installed = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten();
        let mut found: Vec<_> = versions
            .flatten()
            .map(|version| version.path().join("bin").join(name))
            .filter(|path| path.is_file())
            .collect();
        found.sort();
        found.pop()
    };
    configured.or_else(installed).unwrap_or_else(|| name.into())
}
