//! What the tests take from the environment: `cargo test` has no arguments for them.

use std::path::PathBuf;

/// An environment variable, unless it is missing or empty.
#[expect(
    clippy::disallowed_methods,
    reason = "a test binary has no command line of its own"
)]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The PostgreSQL that worlds make their databases on, as a superuser.
pub fn test_database_url() -> String {
    setting("TEST_DATABASE_URL").expect(
        "TEST_DATABASE_URL must name a PostgreSQL and a superuser of it, for example \
         postgres://postgres@127.0.0.1:5432/postgres (deploy/test sets it)",
    )
}

/// The nats-server to run: `NATS_SERVER_BIN`, or whatever the PATH has.
pub fn nats_server() -> PathBuf {
    setting("NATS_SERVER_BIN")
        .unwrap_or_else(|| "nats-server".to_owned())
        .into()
}

/// A binary of the workspace, beside the one that runs now.
pub fn service(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("the path of this executable");
    let found = here
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "{name} is not built in {}: run `cargo build --workspace` (with --release for a release run) first",
            here.parent().unwrap_or(&here).display()
        )
    })
}
