//! The whole bench: servers up, every row, the table.

mod cached;
mod machine;
mod memory;
mod plot;
mod process;
mod profile;
mod reads;
mod rebuild;
mod report;
mod row;
mod same;
mod scale;
mod stack;
mod visible;
mod world;
mod writes;

use std::{fs::File, io::BufWriter, path::PathBuf, time::Instant};

use anyhow::{Result, bail};
use feedmill_service::Signer;
use rand::{SeedableRng, rngs::StdRng};

use self::{
    machine::Machine,
    process::Process,
    row::{Outcome, ROWS},
    stack::{Database, Memory, Stack, relayed},
    world::World,
};
use crate::data;

#[derive(clap::Args)]
pub struct Settings {
    /// A PostgreSQL of its own, as its superuser
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// A nats-server of its own
    #[arg(long, env = "NATS_URL")]
    nats_url: String,
    /// What nats-server says its version is
    #[arg(long, default_value = "nats-server")]
    nats_version: String,
    /// PostgreSQL's pgbench
    #[arg(long)]
    pgbench: PathBuf,
    /// A folder to throw away
    #[arg(long)]
    work: PathBuf,
    /// Where results.md, results.json and the plots go
    #[arg(long)]
    out: PathBuf,
    /// A fifth of the data and shorter runs
    #[arg(long)]
    quick: bool,
    /// Records with perf what the server does in this row
    #[arg(long)]
    profile: Option<String>,
    /// Only these rows
    rows: Vec<String>,
}

/// What all rows share.
pub struct Bench {
    stack: Stack,
    database: Database,
    /// As it was after the import: for the other sides that write.
    bare: Database,
    world: World,
    write_api: Option<Process>,
    projector: Option<Process>,
    rng: StdRng,
    size: data::Size,
    /// Of one measured run.
    seconds: f64,
    runs: usize,
    quick: bool,
    out: PathBuf,
    profile: Option<String>,
    rows: Vec<String>,
    outcomes: Vec<Outcome>,
}

/// Runs the rows and writes the results. Errors: something could not be measured at all; a row that fails is said
/// in the table. Gives whether every row that was run met its target.
pub async fn run(settings: Settings) -> Result<bool> {
    for row in settings.rows.iter().chain(&settings.profile) {
        if !ROWS.iter().any(|known| known.key == row) {
            let known: Vec<_> = ROWS.iter().map(|row| row.key).collect();
            bail!("there is no row {row}; there are {}", known.join(", "));
        }
    }
    let began = Instant::now();
    let mut bench = Bench::prepare(&settings).await?;
    let machine =
        Machine::look(&settings.work, &bench.database.pool, &settings.nats_version).await?;
    say(&machine.shown());
    bench.all().await;
    bench.end().await;
    report::write(&bench, &machine, began.elapsed())
}

/// A line about what happens now.
fn say(what: &str) {
    println!("bench: {what}");
}

impl Bench {
    async fn prepare(settings: &Settings) -> Result<Self> {
        let (nats_url, work) = (settings.nats_url.clone(), &settings.work);
        let stack = Stack::new(
            &settings.database_url,
            nats_url,
            work,
            settings.pgbench.clone(),
        )?;
        let mut size = data::Size {
            accounts: 10_000,
            followees: 50,
            posts: 200_000,
        };
        if settings.quick {
            (size.accounts, size.posts) = (size.accounts / 5, size.posts / 5);
        }
        let signer = Signer::load_or_create(&stack.key_file(), "feedmill", "feedmill")?;

        let database = stack.database("feedmill", None, true).await?;
        say(&stack.import(&database, &generate(&stack, size)?).await?);
        database.settle().await?;
        let bare = stack.database("bare", Some(&database), false).await?;
        let database = stack.open("feedmill", true).await?;
        let began = Instant::now();
        let write_api = stack.write_api(&database).await?;
        let projector = stack.projector(&database).await?;
        database.projected().await?;
        say(&format!(
            "projected in {:.1} s",
            began.elapsed().as_secs_f64()
        ));
        relayed(&write_api).await?;
        database.settle().await?;
        Ok(Self {
            world: World::load(&database.pool, &signer).await?,
            stack,
            database,
            bare,
            write_api: Some(write_api),
            projector: Some(projector),
            rng: StdRng::seed_from_u64(7),
            size,
            seconds: if settings.quick { 2.0 } else { 4.0 },
            runs: 3,
            quick: settings.quick,
            out: settings.out.clone(),
            profile: settings.profile.clone(),
            rows: settings.rows.clone(),
            outcomes: Vec::new(),
        })
    }

    /// Whether any of these is to be run.
    fn wants(&self, rows: &[&str]) -> bool {
        self.rows.is_empty()
            || rows
                .iter()
                .any(|row| self.rows.iter().any(|wanted| wanted == row))
    }

    /// First what only reads, last what leaves the log long and the projector behind.
    async fn all(&mut self) {
        const READS: [&str; 4] = ["uncached", "feed", "digest", "inbox"];
        const WRITES: [&str; 3] = ["commands", "hot", "append"];
        macro_rules! group {
            ($rows:expr, $measure:path) => {
                if self.wants(&$rows) {
                    say(&format!("measures {}", $rows.join(", ")));
                    let result = $measure(self).await;
                    self.note(&$rows, result);
                }
            };
        }
        group!(READS, reads::measure);
        group!(["cached"], cached::hits);
        group!(["brotli"], cached::brotli);
        group!(["memory"], memory::measure);
        group!(["mixed"], cached::mixed);
        group!(["visible"], visible::measure);
        group!(["rebuild"], rebuild::measure);
        group!(WRITES, writes::measure);
        // Longer than all the others together: in a quick run only if it is asked for.
        if !self.quick || !self.rows.is_empty() {
            group!(["scale"], scale::measure);
        }
    }

    fn note(&mut self, rows: &[&'static str], result: Result<Vec<Outcome>>) {
        match result {
            Ok(outcomes) => self.outcomes.extend(outcomes),
            Err(error) => {
                let why = format!("{error:#}");
                say(&why);
                let failed = rows.iter().filter(|row| self.wants(&[row]));
                let failed: Vec<_> = failed
                    .map(|row| Outcome::of_failure(row, why.clone()))
                    .collect();
                self.outcomes.extend(failed);
            }
        }
        let rows: Vec<_> = self.rows.clone();
        self.outcomes
            .retain(|outcome| rows.is_empty() || rows.iter().any(|row| row == outcome.key));
    }

    async fn end(&mut self) {
        for process in [self.projector.take(), self.write_api.take()] {
            if let Some(process) = process
                && let Err(error) = process.stop().await
            {
                say(&format!("{error:#}"));
            }
        }
    }

    fn write_api(&self) -> Result<&Process> {
        self.write_api
            .as_ref()
            .ok_or_else(|| anyhow::anyhow!("write-api does not run"))
    }

    /// A read-api at the main database.
    async fn server(&self, arguments: &[&str], path: &str) -> Result<Process> {
        self.stack.server(&self.database, arguments, path).await
    }

    async fn read_api(&self, memory: Memory) -> Result<Process> {
        let write_api = self.write_api()?;
        self.stack.read_api(&self.database, write_api, memory).await
    }
}

fn generate(stack: &Stack, size: data::Size) -> Result<PathBuf> {
    let file = stack.folder.join("import.ndjson");
    data::write(size, &mut BufWriter::new(File::create(&file)?))?;
    Ok(file)
}
