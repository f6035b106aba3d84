//! The results: a table, JSON, and plots.

use std::{fmt::Write, fs, time::Duration};

use anyhow::Result;
use serde_json::json;

use super::{
    context::Bench,
    machine::Machine,
    plot,
    row::{Outcome, ROWS, Row},
};

/// Writes the results and prints the table. Gives whether every row met its target.
pub fn write(bench: &Bench, machine: &Machine, duration: Duration) -> Result<bool> {
    let rows: Vec<(&Row, &Outcome)> = ROWS
        .iter()
        .filter_map(|row| {
            let outcome = bench
                .outcomes
                .iter()
                .find(|outcome| outcome.key == row.key)?;
            Some((row, outcome))
        })
        .collect();
    let (accounts, followees, posts) =
        (bench.size.accounts, bench.size.followees, bench.size.posts);
    let about = format!(
        "{}\n\n{accounts} accounts, {followees} followees each, {posts} posts; 16 connections unless stated otherwise; \
         medians of {} interleaved runs of {} s; total time {:.0} s.\n",
        machine.description(),
        bench.runs,
        bench.seconds,
        duration.as_secs_f64()
    );
    let table = table(&rows);
    fs::create_dir_all(&bench.out)?;
    fs::write(
        bench.out.join("results.md"),
        format!("# The bench\n\n{about}\n{table}"),
    )?;
    let all: Vec<_> = rows
        .iter()
        .map(|(row, outcome)| {
            json!({"what": row.what, "target": row.target, "met": is_met(row, outcome), "outcome": outcome})
        })
        .collect();
    let results = json!({
        "machine": machine, "accounts": accounts, "followees": followees, "posts": posts,
        "quick": bench.quick, "seconds": duration.as_secs_f64(), "rows": all,
    });
    fs::write(
        bench.out.join("results.json"),
        serde_json::to_vec_pretty(&results)?,
    )?;
    fs::write(bench.out.join("ratios.svg"), plot::ratios(&rows))?;
    fs::write(bench.out.join("latencies.svg"), plot::latencies(&rows))?;
    println!("\n{about}\n{table}");
    println!(
        "bench: wrote results.md, results.json and the plots to {}",
        bench.out.display()
    );
    Ok(rows.iter().all(|(row, outcome)| is_met(row, outcome)))
}

fn is_met(row: &Row, outcome: &Outcome) -> bool {
    outcome.failed.is_none() && row.target.is_met(outcome.value)
}

fn table(rows: &[(&Row, &Outcome)]) -> String {
    let mut text = "| row | what | ratio | target | | ours | the other side | |\n|---|---|---|---|---|---|---|---|\n".to_owned();
    for (row, outcome) in rows {
        let verdict = match &outcome.failed {
            Some(_) => "FAILED",
            None if is_met(row, outcome) => "pass",
            None => "MISS",
        };
        let value = outcome
            .shown
            .clone()
            .unwrap_or_else(|| format!("{:.2}", outcome.value));
        let note = outcome.failed.as_deref().unwrap_or(&outcome.note);
        let cells = [
            row.key,
            row.what,
            &value,
            &row.target.text(),
            verdict,
            &outcome.ours,
            &outcome.other,
            &note.replace('\n', " ").replace('|', "\\|"),
        ];
        // Writing into a string cannot fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}
