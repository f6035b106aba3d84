//! Imports a large community and compares the answers with its `expected.json`.
//!
//! The data is not part of the project: a folder with `import.ndjson` and `expected.json`, in either of the two formats that
//! `import/expected.rs` knows.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Parser;
use feedmill_tests::{
    import::{ImportRun, Names, broken_lines, compare_expected, import},
    kit::{Stack, StackConfig, Target, services_memory},
    log,
};

/// Imports a community, waits until it is projected, and compares every expected answer over HTTP.
#[derive(Parser)]
struct Arguments {
    /// The folder with import.ndjson and expected.json
    #[arg(long)]
    data: PathBuf,
    /// Use the Feedmill that the environment describes (. .feedmill/env), instead of a new one
    #[arg(long)]
    attach: bool,
    /// Records per second that the import must reach
    #[arg(long, default_value_t = 10_000.0)]
    rate: f64,
    /// Seconds after the end of the import within which everything must be projected
    #[arg(long, default_value_t = 60)]
    projected_within: u64,
    /// Peak memory of a process in MiB at most
    #[arg(long, default_value_t = 300)]
    memory: u64,
}

/// Check, result, and whether it is as expected.
struct Report(Vec<(String, String, bool)>);

impl Report {
    fn line(&mut self, what: impl Into<String>, found: impl Into<String>, good: bool) {
        let (what, found) = (what.into(), found.into());
        println!(
            "{}  {what:<44}  {found}",
            if good { "ok    " } else { "FAILED" }
        );
        self.0.push((what, found, good));
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut report = Report(Vec::new());
    let result = if arguments.attach {
        run(&Target::attached().await, None, &arguments, &mut report).await
    } else {
        let stack = Stack::start(StackConfig::with_default_limits()).await;
        run(&stack, Some(&stack.pids()), &arguments, &mut report).await
    };
    if let Err(error) = result {
        report.line("run", format!("{error:#}"), false);
    }
    let failed = report.0.iter().filter(|(.., good)| !good).count();
    println!(
        "\n{} of {} as expected",
        report.0.len() - failed,
        report.0.len()
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn run(
    target: &Target,
    pids: Option<&[(String, u32)]>,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<()> {
    let file = arguments.data.join("import.ndjson");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let records = text.lines().filter(|line| !line.trim().is_empty()).count();
    drop(text);
    let expected = fs::read(arguments.data.join("expected.json")).context("expected.json")?;
    let expected = serde_json::from_slice(&expected).context("expected.json")?;

    let first = import(target, &file).await;
    let rate = records as f64 / first.took.as_secs_f64();
    let found = format!(
        "{records} records in {:.1} s: {rate:.0}/s",
        first.took.as_secs_f64()
    );
    report.line("import", found, first.success && rate >= arguments.rate);
    anyhow::ensure!(first.success, "the import failed: {}", first.output);

    let longest = Duration::from_secs(arguments.projected_within.max(1) * 10);
    let waited = log::wait_until_projected(&target.pool, longest).await?;
    let within = waited.as_secs() < arguments.projected_within;
    report.line(
        "projected after the end of the import",
        format!("{:.1} s", waited.as_secs_f64()),
        within,
    );
    let events = log::check_dense(&target.pool).await?;
    report.line(
        "log dense in every partition",
        format!("{events} events"),
        true,
    );

    let names = Names::read(&target.pool).await?;
    let (done, wrong) = compare_expected(target, &expected, &names).await?;
    let found = format!(
        "{} compared, {} differ",
        done.values().sum::<usize>(),
        wrong.len()
    );
    report.line("answers", found, wrong.is_empty());
    for (what, count) in done {
        let differ = wrong.iter().filter(|found| found.what == what).count();
        report.line(
            what,
            format!("{count} compared, {differ} differ"),
            differ == 0,
        );
    }
    for found in wrong.iter().take(10) {
        println!("        {}: {}: {}", found.whose, found.what, found.how);
    }
    import_again(target, &file, records, report).await?;
    memory(&first, pids, arguments.memory, report);
    Ok(())
}

async fn import_again(
    target: &Target,
    file: &Path,
    records: usize,
    report: &mut Report,
) -> Result<()> {
    let before = log::heads(&target.pool).await?;
    let again = import(target, file).await;
    let same = log::heads(&target.pool).await? == before;
    let found = format!(
        "log heads {}, {records} records in {:.1} s",
        if same { "unchanged" } else { "CHANGED" },
        again.took.as_secs_f64()
    );
    report.line("import again", found, again.success && same);
    let folder =
        std::env::temp_dir().join(format!("feedmill-broken-{:08x}", rand::random::<u32>()));
    fs::create_dir_all(&folder)?;
    let broken = broken_lines(target, &folder).await;
    fs::remove_dir_all(&folder).ok();
    let found = match &broken {
        Ok(count) => format!("{count} kinds, each refused by its line number"),
        Err(error) => format!("{error:#}"),
    };
    report.line("broken lines", found, broken.is_ok());
    Ok(())
}

fn memory(import: &ImportRun, pids: Option<&[(String, u32)]>, most: u64, report: &mut Report) {
    let mut peaks = services_memory(pids);
    peaks.push(("write-api import".to_owned(), import.peak_memory));
    for (name, bytes) in peaks {
        let mib = bytes >> 20;
        report.line(
            format!("peak memory of {name}"),
            format!("{mib} MiB"),
            mib <= most,
        );
    }
}
