//! Backups of a test's own PostgreSQL server with pgBackRest, as `docs/operations.md` describes them.

use std::{fs, path::Path, process::Output};

use super::Postgres;

/// A repository of backups and WAL files, beside the server.
pub struct Backups {
    config: String,
}

impl Backups {
    /// Configures the server to archive its WAL, and restarts it.
    pub async fn set_up(postgres: &mut Postgres, folder: &Path) -> Self {
        let repository = folder.join("pgbackrest");
        postgres.create_folder(&repository);
        let (repository, data) = (repository.display(), postgres.data().display());
        let config = format!("{repository}/pgbackrest.conf");
        let port = postgres.address.port();
        let text = format!(
            "[global]\nrepo1-path={repository}\nrepo1-retention-full=2\nlog-path={repository}\nlock-path={repository}\n\
             log-level-console=warn\nlog-level-file=off\nstart-fast=y\n\
             [feedmill]\npg1-path={data}\npg1-port={port}\npg1-socket-path={data}\npg1-user=postgres\n"
        );
        fs::write(&config, text).expect("the configuration file");
        let backups = Self { config };
        let archive = backups.arguments(&["archive-push", "%p"]).join(" ");
        postgres
            .configure(&[
                ("archive_mode", "on"),
                ("archive_command", &format!("pgbackrest {archive}")),
            ])
            .await;
        backups.run(postgres, &["stanza-create"]);
        backups
    }

    /// A base backup.
    pub fn back_up(&self, postgres: &Postgres) {
        self.run(postgres, &["--type=full", "backup"]);
    }

    /// Restores the server, which must not run, to a time, as PostgreSQL writes it.
    pub fn restore(&self, postgres: &Postgres, time: &str) {
        let target = format!("--target={time}");
        self.run(
            postgres,
            &[
                "--delta",
                "--type=time",
                &target,
                "--target-action=promote",
                "restore",
            ],
        );
    }

    fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        let common = [
            format!("--config={}", self.config),
            "--stanza=feedmill".to_owned(),
        ];
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        common.into_iter().chain(arguments).collect()
    }

    fn run(&self, postgres: &Postgres, arguments: &[&str]) -> Output {
        let output = postgres.run_as_its_user("pgbackrest", &self.arguments(arguments));
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        assert!(
            output.status.success(),
            "pgbackrest {arguments:?}: {}",
            String::from_utf8_lossy(&text)
        );
        output
    }
}
