//! Commands, against the same commands and against bare appends.

use std::{fmt::Write, fs};

use anyhow::{Context, Result};
use feedmill_events::Envelope;
use tokio::process::Command as Program;

use super::{
    Bench,
    process::{Process, output},
    profile,
    row::{Outcome, Runs},
    say,
};
use crate::{command::Command, load::Plan, summary::Summary};

const CONNECTIONS: usize = 64;
/// More than any side carries out in a second.
const A_SECOND: f64 = 15_000.0;

/// The other sides have a database of their own, a copy of ours as it was after the import, that nobody projects
/// and whose log nobody copies. So the projector rests meanwhile, for it is no part of what they do; the relay
/// works, for it is a part of write-api. What the projector's work costs is noted.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    if let Some(projector) = bench.projector.take() {
        projector.stop().await?;
    }
    if bench.wants(&["commands", "append"]) {
        let (mut ours, mut other, mut appends) = Default::default();
        for run in 0..bench.runs {
            let commands = bench.world.commands(count(bench), &mut bench.rng)?;
            one_run(
                bench,
                &["commands", "append"],
                run,
                &commands,
                (&mut ours, &mut other),
            )
            .await?;
            appends_run(bench, &commands, &mut appends).await?;
        }
        let projecting = while_projecting(bench).await?;
        let note = format!("{projecting:.0}/s while the projector works off what it missed");
        outcomes.push(Outcome::of_rates("commands", &ours, &other).noted(&note));
        outcomes.push(Outcome::of_rates("append", &ours, &appends).noted(&note));
    }
    if bench.wants(&["hot"]) {
        let (mut ours, mut other) = Default::default();
        for run in 0..bench.runs {
            let commands = bench.world.likes_of_one(&mut bench.rng)?;
            one_run(bench, &["hot"], run, &commands, (&mut ours, &mut other)).await?;
        }
        outcomes.push(Outcome::of_rates("hot", &ours, &other));
    }
    Ok(outcomes)
}

fn count(bench: &Bench) -> usize {
    ((bench.seconds + 1.0) * A_SECOND) as usize
}

/// Ours over HTTP, then the same in bare sqlx.
async fn one_run(
    bench: &Bench,
    rows: &[&str],
    run: usize,
    commands: &[Command],
    (ours, other): (&mut Runs, &mut Runs),
) -> Result<()> {
    let write_api = bench.write_api()?;
    let recorded = profile::start(bench, rows, write_api, run)?;
    ours.push(over_http(bench, write_api, commands).await?);
    profile::end(recorded).await?;
    super::stack::relayed(write_api).await?;
    let (connections, seconds) = (CONNECTIONS.to_string(), bench.seconds.to_string());
    let more = [
        "--database-url",
        &bench.bare.url,
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
            .measure("floor-writes", &commands, &more)
            .await?,
    );
    Ok(())
}

async fn over_http(bench: &Bench, write_api: &Process, commands: &[Command]) -> Result<Summary> {
    let requests = bench.world.requests(commands, 0);
    let mut plan = Plan::new(&[&write_api.address], requests, bench.seconds);
    plan.connections = CONNECTIONS;
    bench.stack.load(&plan).await
}

/// pgbench appends events of the same kinds, in the same shares and with the same bytes: one statement, one
/// round trip, one commit each, and nothing else.
async fn appends_run(bench: &Bench, commands: &[Command], appends: &mut Runs) -> Result<()> {
    let mut program = Program::new(&bench.stack.pgbench);
    let (clients, seconds) = (CONNECTIONS.to_string(), bench.seconds.ceil().to_string());
    program.args([
        "-n", "-M", "prepared", "-j", "2", "-c", &clients, "-T", &seconds,
    ]);
    for (command, weight) in kinds(commands) {
        let file = bench.stack.folder.join(format!("append-{weight}.sql"));
        fs::write(&file, script(command)?)?;
        program
            .arg("-f")
            .arg(format!("{}@{weight}", file.display()));
    }
    program.arg(&bench.bare.url).kill_on_drop(true);
    let said = output(program).await?;
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rate| rate.split_whitespace().next()?.parse::<f64>().ok());
    let rate = rate.with_context(|| format!("pgbench said no rate: {said}"))?;
    appends.push(Summary {
        count: (rate * bench.seconds) as u64,
        seconds: bench.seconds,
        ..Summary::default()
    });
    Ok(())
}

/// One of each kind, and its share in ten.
fn kinds(commands: &[Command]) -> Vec<(&Command, usize)> {
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

fn script(command: &Command) -> Result<String> {
    let millis = 1_763_000_000_000;
    let event = command.event(command.make_id(millis), millis);
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

/// Commands a second with the projector at work; it is left running.
async fn while_projecting(bench: &mut Bench) -> Result<f64> {
    let projector = bench.stack.projector(&bench.database).await?;
    let commands = bench.world.commands(count(bench), &mut bench.rng)?;
    let summary = over_http(bench, bench.write_api()?, &commands).await?;
    projector.stop().await?;
    say(&format!(
        "with the projector at work: {:.0} commands/s",
        summary.per_second()
    ));
    Ok(summary.per_second())
}
