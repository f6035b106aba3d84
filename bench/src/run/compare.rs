//! This version compared with another one, in interleaved pairs of runs on one machine.
//!
//! Each version has a database, a NATS server and services of its own, and the same community. Both run all the time; one
//! is measured at a time. A pair is a run of each, in alternating order. The ratio of a row is the median of the pairs'
//! ratios, with the 95 % interval that order statistics give: no assumption about the distribution of the runs.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use rand::{SeedableRng, rngs::StdRng};

use super::{
    cached::{self, Mixture},
    context::{generate, progress},
    database::Database,
    dataset::Dataset,
    endpoints::{self, FEED},
    process::Process,
    row::{Runs, median},
    settings::Settings,
    stack::{CacheMode, Stack, relayed},
    writes,
};
use crate::{data, load::Plan, summary::Summary};

/// The smallest number of pairs whose extremes are a 95 % interval of the median.
const MIN_PAIRS: usize = 6;

/// The share of new pages in the reads of the mixed row.
const NEW_SHARE: f64 = 0.05;

/// The rows that can be compared.
pub const ROWS: [&str; 6] = [
    "cached", "uncached", "digest", "mixed", "commands", "marked",
];

/// The unread posts of each viewer in the row `marked`. In the others nobody has read anything, and 1,000 posts are counted.
const UNREAD: i64 = 30;

/// A running version.
struct Version {
    stack: Stack,
    database: Database,
    dataset: Dataset,
    write_api: Process,
    projector: Option<Process>,
    /// It caches posts but no responses.
    uncached: Process,
    read_api: Process,
    _nats: Process,
    mixture: Mixture,
    /// Both versions draw the same numbers.
    rng: StdRng,
    seconds: f64,
}

/// Runs the rows and prints and writes `comparison.md`. Errors: a run fails.
pub async fn run(settings: &Settings, before: &Path) -> Result<()> {
    let pairs = settings.pairs;
    ensure!(pairs >= MIN_PAIRS, "--pairs must be at least {MIN_PAIRS}");
    let rows: Vec<&str> = ROWS
        .into_iter()
        .filter(|row| settings.rows.is_empty() || settings.rows.iter().any(|wanted| wanted == row))
        .collect();
    let mut versions = [
        Version::start(settings, "before", Some(before)).await?,
        Version::start(settings, "after", None).await?,
    ];
    let mut text = format!(
        "{pairs} interleaved pairs of runs of {} s\n\n\
         | row | before | after | after : before | 95 % interval |\n|---|---|---|---|---|\n",
        versions[0].seconds
    );
    for row in rows {
        progress(&format!("comparing {row}"));
        let mut runs = [Runs::default(), Runs::default()];
        if row == "commands" {
            for version in &mut versions {
                version.stop_projector().await?;
            }
        }
        if row == "marked" {
            for version in &versions {
                version.mark_read().await?;
            }
        }
        for pair in 0..pairs {
            for side in [pair % 2, 1 - pair % 2] {
                let summary = versions[side].measure(row).await?;
                runs[side].push(summary);
            }
        }
        text.push_str(&lines(row, &runs)?);
    }
    fs::create_dir_all(&settings.out)?;
    let file = settings.out.join("comparison.md");
    fs::write(&file, &text)?;
    println!("\n{text}\nbench: wrote {}", file.display());
    Ok(())
}

impl Version {
    /// Imports the community and starts the services.
    async fn start(settings: &Settings, name: &str, binaries: Option<&Path>) -> Result<Self> {
        let folder = settings.work.join(name);
        fs::create_dir_all(&folder)?;
        let mut stack = Stack::new(settings, &folder)?;
        if let Some(binaries) = binaries {
            binaries.clone_into(&mut stack.bin);
        }
        let nats = stack.nats(name).await?;
        let database = stack.database(name, None, &nats).await?;
        let size = settings.size();
        let file = generate(&stack, |out| data::write(size, false, out))?;
        progress(&format!(
            "{name}: {}",
            stack.import(&database, &file).await?
        ));
        let write_api = stack.write_api(&database).await?;
        let projector = stack.projector(&database).await?;
        database.projected().await?;
        relayed(&write_api).await?;
        database.settle().await?;
        let mut rng = StdRng::seed_from_u64(7);
        let dataset = Dataset::load(&database.pool, &stack.signer()?).await?;
        let mixture = Mixture::new(&dataset, cached::MIXED_HOT_VIEWERS, &mut rng);
        let read_api = |cache| stack.read_api(&database, &write_api, cache);
        Ok(Self {
            uncached: read_api(CacheMode::OnlyPosts).await?,
            read_api: read_api(CacheMode::Default).await?,
            mixture,
            _nats: nats,
            stack,
            database,
            dataset,
            write_api,
            projector: Some(projector),
            rng,
            seconds: settings.seconds(),
        })
    }

    async fn stop_projector(&mut self) -> Result<()> {
        match self.projector.take() {
            Some(projector) => projector.stop().await,
            None => Ok(()),
        }
    }

    async fn measure(&mut self, row: &str) -> Result<Summary> {
        match row {
            "cached" => self.hits().await,
            "uncached" | "marked" => self.reads(FEED).await,
            "digest" => self.reads(&endpoints::digest()).await,
            "mixed" => self.mixed().await,
            _ => self.commands().await,
        }
    }

    /// Marks all but the newest posts of each feed as read. A version without marks does nothing.
    async fn mark_read(&self) -> Result<()> {
        let exists: bool = sqlx::query_scalar("SELECT to_regclass('feed.feed_marks') IS NOT NULL")
            .fetch_one(&self.database.pool)
            .await?;
        if exists {
            let sql = "INSERT INTO feed.feed_marks
                SELECT viewer, post_id FROM (SELECT DISTINCT viewer FROM feed.feed_entries) AS feeds
                CROSS JOIN LATERAL (
                    SELECT post_id FROM feed.feed_entries WHERE viewer = feeds.viewer ORDER BY post_id DESC OFFSET $1 LIMIT 1
                ) AS mark";
            sqlx::query(sql)
                .bind(UNREAD)
                .execute(&self.database.pool)
                .await?;
        }
        Ok(())
    }

    /// Feeds of a few viewers, which are cached after the first run.
    async fn hits(&mut self) -> Result<Summary> {
        let requests = self.dataset.reads(&self.mixture.hot, FEED);
        let plan = Plan::new(&[&self.read_api.address], requests, self.seconds);
        self.stack.load(&plan).await
    }

    async fn reads(&mut self, path: &str) -> Result<Summary> {
        let viewers = self.dataset.some(2_000, &mut self.rng);
        let requests = self.dataset.reads(&viewers, path);
        let plan = Plan::new(&[&self.uncached.address], requests, self.seconds);
        self.stack.load(&plan).await
    }

    async fn mixed(&mut self) -> Result<Summary> {
        let shares = [cached::WRITE_SHARE, NEW_SHARE];
        let (count, rng) = (cached::REQUESTS, &mut self.rng);
        let requests = self.mixture.requests(&self.dataset, count, shares, rng)?;
        let targets = [&*self.read_api.address, &self.write_api.address];
        let summary = self
            .stack
            .load(&Plan::new(&targets, requests, self.seconds))
            .await?;
        self.database.projected().await?;
        Ok(summary)
    }

    async fn commands(&mut self) -> Result<Summary> {
        let count = writes::command_count(self.seconds);
        let commands = self.dataset.commands(count, &mut self.rng)?;
        let requests = self.dataset.requests(&commands, 0);
        let mut plan = Plan::new(&[&self.write_api.address], requests, self.seconds);
        plan.connections = writes::CONNECTIONS;
        let summary = self.stack.load(&plan).await?;
        relayed(&self.write_api).await?;
        Ok(summary)
    }
}

/// The lines of a row: requests per second, and both latencies. Errors: a run had errors.
fn lines(row: &str, [before, after]: &[Runs; 2]) -> Result<String> {
    let failure = before.failure().or(after.failure());
    if let Some(reason) = failure {
        anyhow::bail!("{row}: {reason}");
    }
    let line = |what: &str, value: fn(&Summary) -> f64| {
        let of = |runs: &Runs| runs.0.iter().map(value).collect::<Vec<f64>>();
        let (before, after) = (of(before), of(after));
        let ratios = after.iter().zip(&before).map(|(a, b)| a / b).collect();
        let (ratio, low, high) = interval(ratios);
        let median = |values: Vec<f64>| median(values.into_iter());
        format!(
            "| {row}, {what} | {:.0} | {:.0} | {ratio:.3} | {low:.3} to {high:.3} |\n",
            median(before),
            median(after)
        )
    };
    Ok([
        line("requests/s", Summary::per_second),
        line("p50 in µs", |run| run.p50),
        line("p99 in µs", |run| run.p99),
    ]
    .concat())
}

/// The median and its 95 % interval: the widest ranks r and n + 1 - r with P(X < r) ≤ 2.5 % for X binomial (n, 1/2).
fn interval(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let mut rank = 0;
    let (mut below, mut term) = (0.0, 0.5_f64.powi(n as i32));
    loop {
        below += term;
        if below > 0.025 || rank >= n / 2 {
            break;
        }
        term *= (n - rank) as f64 / (rank + 1) as f64;
        rank += 1;
    }
    let rank = rank.max(1);
    (
        median(values.iter().copied()),
        values[rank - 1],
        values[n - rank],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_has_the_ranks_of_the_binomial_distribution() {
        let ranks = |n: u32| {
            let (_, low, high) = interval((1..=n).map(f64::from).collect());
            (low as u32, high as u32)
        };
        // From tables of the sign test.
        assert_eq!(ranks(6), (1, 6));
        assert_eq!(ranks(10), (2, 9));
        assert_eq!(ranks(12), (3, 10));
        assert_eq!(ranks(20), (6, 15));
    }
}
