//! Runs the whole bench: starts the servers, measures every row, and writes the results.

mod cached;
mod community;
mod compare;
mod context;
mod database;
mod dataset;
mod endpoints;
mod equality;
mod hidden;
mod machine;
mod memory;
mod plot;
mod private;
mod process;
mod profile;
mod reads;
mod rebuild;
mod report;
mod rights;
mod row;
mod scale;
mod settings;
mod stack;
mod visible;
mod writes;

use std::time::Instant;

use anyhow::{Result, bail};

pub use self::settings::Settings;
use self::{
    context::{Bench, progress},
    machine::Machine,
    row::ROWS,
};

/// Runs the rows and writes the results. Gives whether every row met its target. A row that fails is marked in the
/// results. With `before`, compares two versions instead. Errors: the bench cannot run at all.
pub async fn run(settings: Settings) -> Result<bool> {
    let known: Vec<&str> = match &settings.before {
        Some(_) => compare::ROWS.to_vec(),
        None => ROWS.iter().map(|row| row.key).collect(),
    };
    for row in settings.rows.iter().chain(&settings.profile) {
        if !known.contains(&row.as_str()) {
            bail!("unknown row {row}; known are {}", known.join(", "));
        }
    }
    if let Some(before) = &settings.before {
        compare::run(&settings, before).await?;
        return Ok(true);
    }
    let started = Instant::now();
    let mut bench = Bench::prepare(&settings).await?;
    let machine = Machine::inspect(&settings, &bench.database.pool).await?;
    progress(&machine.description());
    measure(&mut bench).await;
    bench.stop().await;
    report::write(&bench, &machine, started.elapsed())
}

/// Measures the rows: first those that only read, last those that make the log long and leave the projector behind.
async fn measure(bench: &mut Bench) {
    const READS: [&str; 4] = ["uncached", "feed", "digest", "inbox"];
    const WRITES: [&str; 3] = ["commands", "hot", "append"];
    const PRIVATE: [&str; 3] = ["private", "private_loop", "private_rebuild"];
    macro_rules! group {
        ($rows:expr, $measure:path) => {
            if bench.wants(&$rows) {
                progress(&format!("measuring {}", $rows.join(", ")));
                let result = $measure(bench).await;
                bench.record(&$rows, result);
            }
        };
    }
    group!(READS, reads::measure);
    group!(["cached"], cached::hits);
    group!(["brotli"], cached::brotli);
    group!(["memory"], memory::measure);
    group!(PRIVATE, private::measure);
    group!(["mixed"], cached::mixed);
    group!(["visible"], visible::measure);
    group!(["rebuild"], rebuild::measure);
    group!(WRITES, writes::measure);
    // They take longer than all others together: in a quick run only if they are named.
    if !bench.quick || !bench.rows.is_empty() {
        group!(["hidden"], hidden::measure);
        group!(["rights"], rights::measure);
        group!(["scale"], scale::measure);
    }
}
