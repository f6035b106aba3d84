//! The running system that all rows share, and their outcomes.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::PathBuf,
    time::Instant,
};

use anyhow::Result;
use rand::{SeedableRng, rngs::StdRng};

use super::{
    database::Database,
    dataset::Dataset,
    process::Process,
    row::Outcome,
    settings::Settings,
    stack::{CacheMode, Stack, relayed},
};
use crate::data;

/// The running system, the settings and the outcomes.
pub struct Bench {
    pub stack: Stack,
    pub database: Database,
    /// A copy of the database after the import, for the baselines that write.
    pub bare_database: Database,
    pub dataset: Dataset,
    pub write_api: Option<Process>,
    pub projector: Option<Process>,
    _nats: Process,
    pub rng: StdRng,
    pub size: data::Size,
    /// The duration of a measured run in seconds.
    pub seconds: f64,
    /// The number of runs per row.
    pub runs: usize,
    pub quick: bool,
    pub out: PathBuf,
    pub profile: Option<String>,
    pub rows: Vec<String>,
    pub outcomes: Vec<Outcome>,
}

impl Bench {
    /// Imports the workload, starts write-api and projector, and waits until all events are projected.
    pub async fn prepare(settings: &Settings) -> Result<Self> {
        let stack = Stack::new(settings, &settings.work)?;
        let nats = stack.nats("feedmill").await?;
        let size = settings.size();
        let database = stack.database("feedmill", None, &nats).await?;
        let file = generate(&stack, |out| data::write(size, false, out))?;
        progress(&stack.import(&database, &file).await?);
        database.settle().await?;
        let bare_database = stack.database("bare", Some(&database), &nats).await?;
        let database = stack.open("feedmill", &nats).await?;
        let started = Instant::now();
        let write_api = stack.write_api(&database).await?;
        let projector = stack.projector(&database).await?;
        database.projected().await?;
        progress(&format!(
            "projected all events in {:.1} s",
            started.elapsed().as_secs_f64()
        ));
        relayed(&write_api).await?;
        database.settle().await?;
        Ok(Self {
            dataset: Dataset::load(&database.pool, &stack.signer()?).await?,
            stack,
            database,
            bare_database,
            write_api: Some(write_api),
            projector: Some(projector),
            _nats: nats,
            rng: StdRng::seed_from_u64(7),
            size,
            seconds: settings.seconds(),
            runs: 3,
            quick: settings.quick,
            out: settings.out.clone(),
            profile: settings.profile.clone(),
            rows: settings.rows.clone(),
            outcomes: Vec::new(),
        })
    }

    /// Whether any of these rows is to be run.
    pub fn wants(&self, rows: &[&str]) -> bool {
        self.rows.is_empty()
            || rows
                .iter()
                .any(|row| self.rows.iter().any(|wanted| wanted == row))
    }

    /// Adds the outcomes of rows, or their failure.
    pub fn record(&mut self, rows: &[&'static str], result: Result<Vec<Outcome>>) {
        match result {
            Ok(outcomes) => self.outcomes.extend(outcomes),
            Err(error) => {
                let reason = format!("{error:#}");
                progress(&reason);
                let failed = rows.iter().filter(|row| self.wants(&[row]));
                let failed: Vec<_> = failed
                    .map(|row| Outcome::of_failure(row, reason.clone()))
                    .collect();
                self.outcomes.extend(failed);
            }
        }
        let rows: Vec<_> = self.rows.clone();
        self.outcomes
            .retain(|outcome| rows.is_empty() || rows.iter().any(|row| row == outcome.key));
    }

    /// Stops write-api and projector.
    pub async fn stop(&mut self) {
        for process in [self.projector.take(), self.write_api.take()] {
            if let Some(process) = process
                && let Err(error) = process.stop().await
            {
                progress(&format!("{error:#}"));
            }
        }
    }

    pub fn write_api(&self) -> Result<&Process> {
        self.write_api
            .as_ref()
            .ok_or_else(|| anyhow::anyhow!("write-api is not running"))
    }

    /// Starts a read-api with the main database.
    pub async fn read_api(&self, cache: CacheMode) -> Result<Process> {
        let write_api = self.write_api()?;
        self.stack.read_api(&self.database, write_api, cache).await
    }
}

/// Prints a line about the progress.
pub fn progress(text: &str) {
    println!("bench: {text}");
}

/// Writes a workload to a file.
pub fn generate(
    stack: &Stack,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<PathBuf> {
    let file = stack.folder.join("import.ndjson");
    write(&mut BufWriter::new(File::create(&file)?))?;
    Ok(file)
}
