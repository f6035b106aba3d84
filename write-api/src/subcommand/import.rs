use std::{
    fs::File,
    io::{IsTerminal, Write},
    path::Path,
    time::Instant,
};

use anyhow::Context;
use feedmill_service::{Database, sql};
use tokio::task::JoinSet;

use crate::{
    config::{APPLICATION_NAME, Config},
    domain::Clock,
    import::{self, Progress},
    log::parts,
};

/// `write-api import FILE`: imports an existing community, and shows the progress.
pub async fn import(config: &Config, path: &Path) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let options = sql::options(config.write_database_url()?, APPLICATION_NAME, None)?;
    let started = Instant::now();
    let parts = parts::add_ahead(Database::new(options.clone(), 1)?, config.log_part_size);
    let mut background = JoinSet::new();
    background.spawn(parts);
    let mut shown = None;
    let summary = import::run(&options, file, Clock::default().now().at(), |progress| {
        show(progress, &mut shown);
    })
    .await
    .with_context(|| path.display().to_string())?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} records in {seconds:.1} s ({:.0} a second): {} were there already, {} events were appended",
        summary.records,
        summary.records as f64 / seconds.max(0.001),
        summary.known,
        summary.events,
    );
    Ok(())
}

/// Rewrites one line on a terminal; elsewhere, prints a line every ten seconds.
fn show(progress: Progress, shown: &mut Option<Instant>) {
    let mut error = std::io::stderr();
    let terminal = error.is_terminal();
    let pause = if terminal { 0.1 } else { 10.0 };
    if shown.is_some_and(|at| at.elapsed().as_secs_f64() < pause) {
        return;
    }
    *shown = Some(Instant::now());
    let (start, end) = if terminal {
        ("\r\x1b[K", "")
    } else {
        ("", "\n")
    };
    // An import does not stop because nobody reads its progress.
    let _ = match progress {
        Progress::Checked { records } => write!(error, "{start}checked {records} records{end}"),
        Progress::Applied { records, of } => {
            write!(error, "{start}imported {records} of {of} records{end}")
        }
    };
    let _ = error.flush();
}
