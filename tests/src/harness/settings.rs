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

/// A program of PostgreSQL: of `POSTGRES_BIN_DIR`, or the newest that is installed in the usual place.
pub fn postgres_program(name: &str) -> PathBuf {
    let given = setting("POSTGRES_BIN_DIR").map(|folder| PathBuf::from(folder).join(name));
    let usual = || {
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
    given.or_else(usual).unwrap_or_else(|| name.into())
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
