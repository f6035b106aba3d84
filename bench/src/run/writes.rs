//! Commands, compared with the same commands in bare sqlx and with bare appends.

use std::{fmt::Write, fs};

use anyhow::{Context, Result};
use feedmill_events::Envelope;
use tokio::process::Command as Program;

use super::{
    context::{Bench, progress},
    process::{Process, output},
    profile,
    row::{Outcome, Runs},
    stack::relayed,
};
use crate::{command::Command, load::Plan, summary::Summary};

pub const CONNECTIONS: usize = 64;
/// More commands per second than any side executes.
const MAX_COMMANDS_PER_SECOND: f64 = 15_000.0;

/// The baselines use a copy of the database after the import, which is neither projected nor relayed. Therefore the
/// projector is stopped during the measurement. The relay runs, since it is a part of write-api. The note has the rate
/// with a running projector.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    if let Some(projector) = bench.projector.take() {
        projector.stop().await?;
    }
    if bench.wants(&["commands", "append"]) {
        let (mut ours, mut other, mut appends) = Default::default();
        for run in 0..bench.runs {
            let commands = bench
                .dataset
                .commands(command_count(bench.seconds), &mut bench.rng)?;
            run_both(
                bench,
                &["commands", "append"],
                run,
                &commands,
                (&mut ours, &mut other),
            )
            .await?;
            run_appends(bench, &commands, &mut appends).await?;
        }
        let projecting = rate_while_projecting(bench).await?;
        let note = format!("{projecting:.0}/s while the projector catches up");
        outcomes.push(Outcome::of_rates("commands", &ours, &other).with_note(&note));
        outcomes.push(Outcome::of_rates("append", &ours, &appends).with_note(&note));
    }
    if bench.wants(&["hot"]) {
        let (mut ours, mut other) = Default::default();
        for run in 0..bench.runs {
            let commands = bench.dataset.likes_of_one(&mut bench.rng)?;
            run_both(bench, &["hot"], run, &commands, (&mut ours, &mut other)).await?;
        }
        outcomes.push(Outcome::of_rates("hot", &ours, &other));
    }
    Ok(outcomes)
}

/// The number of commands for a run of this duration.
pub fn command_count(seconds: f64) -> usize {
    ((seconds + 1.0) * MAX_COMMANDS_PER_SECOND) as usize
}

/// Runs commands with write-api over HTTP, then with bare sqlx.
async fn run_both(
    bench: &Bench,
    rows: &[&str],
    run: usize,
    commands: &[Command],
    (ours, other): (&mut Runs, &mut Runs),
) -> Result<()> {
    let write_api = bench.write_api()?;
    let recording = profile::start(bench, rows, write_api, run)?;
    ours.push(over_http(bench, write_api, commands).await?);
    profile::stop(recording).await?;
    relayed(write_api).await?;
    let (connections, seconds) = (CONNECTIONS.to_string(), bench.seconds.to_string());
    let arguments = [
        "--database-url",
        &bench.bare_database.url,
        "--connections",
        &connections,
        "--warm-up",
        "1",
        "--seconds",
        &seconds,
    ];
    other.push(
        bench
            .stack
            .measure("bare-writes", &commands, &arguments)
            .await?,
    );
    Ok(())
}

async fn over_http(bench: &Bench, write_api: &Process, commands: &[Command]) -> Result<Summary> {
    let requests = bench.dataset.requests(commands, 0);
    let mut plan = Plan::new(&[&write_api.address], requests, bench.seconds);
    plan.connections = CONNECTIONS;
    bench.stack.load(&plan).await
}

/// pgbench appends events of the same types with the same shares and bytes: one statement, one round trip and one
/// commit each.
async fn run_appends(bench: &Bench, commands: &[Command], appends: &mut Runs) -> Result<()> {
    let mut program = Program::new(&bench.stack.pgbench);
    let (clients, seconds) = (CONNECTIONS.to_string(), bench.seconds.ceil().to_string());
    program.args([
        "-n", "-M", "prepared", "-j", "2", "-c", &clients, "-T", &seconds,
    ]);
    for (command, weight) in samples(commands) {
        let file = bench.stack.folder.join(format!("append-{weight}.sql"));
        fs::write(&file, script(command)?)?;
        program
            .arg("-f")
            .arg(format!("{}@{weight}", file.display()));
    }
    program.arg(&bench.bare_database.url).kill_on_drop(true);
    let printed = output(program).await?;
    let rate = printed.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rate| rate.split_whitespace().next()?.parse::<f64>().ok());
    let rate = rate.with_context(|| format!("pgbench printed no rate: {printed}"))?;
    appends.push(Summary {
        count: (rate * bench.seconds) as u64,
        seconds: bench.seconds,
        ..Summary::default()
    });
    Ok(())
}

/// A command of each kind, with its weight.
fn samples(commands: &[Command]) -> Vec<(&Command, usize)> {
    let first =
        |kind: fn(&Command) -> bool, weight| Some((commands.iter().find(|c| kind(c))?, weight));
    [
        first(|command| matches!(command, Command::Post { .. }), 4),
        first(|command| matches!(command, Command::Like { .. }), 3),
        first(|command| matches!(command, Command::Follow { .. }), 2),
        first(|command| matches!(command, Command::Message { .. }), 1),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The pgbench script that appends the event of a command to a random partition.
fn script(command: &Command) -> Result<String> {
    let millis = 1_763_000_000_000;
    let event = command.event(command.new_id(millis), millis);
    let name = event.event_type().name();
    let body = Envelope { at: millis, event }.encode()?;
    let mut hex = String::with_capacity(2 * body.len());
    for byte in body {
        write!(hex, "{byte:02x}")?;
    }
    Ok(format!(
        "\\set p random(0, 63)\n\
         WITH moved AS (UPDATE write.partitions SET head = head + 1 WHERE id = :p RETURNING head) \
         INSERT INTO write.events (partition, seq, type, at, body) \
         SELECT :p, head, '{name}', now(), '\\x{hex}'::bytea FROM moved;\n"
    ))
}

/// Commands per second while the projector catches up.
async fn rate_while_projecting(bench: &mut Bench) -> Result<f64> {
    let projector = bench.stack.projector(&bench.database).await?;
    let commands = bench
        .dataset
        .commands(command_count(bench.seconds), &mut bench.rng)?;
    let summary = over_http(bench, bench.write_api()?, &commands).await?;
    projector.stop().await?;
    progress(&format!(
        "with a running projector: {:.0} commands/s",
        summary.per_second()
    ));
    Ok(summary.per_second())
}
