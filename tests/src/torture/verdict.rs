//! What must hold once all is healed.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::time::{Duration, sleep, timeout};

use super::{
    CONVERGENCE,
    fault::{self, Chaos},
    ledger,
    load::Report,
    wish::{Entry, Outcome},
};
use crate::{
    compare::{Scope, every_read},
    harness::{World, run, service, services_memory},
    log, stream, token,
};

/// Debug builds take more than released ones, but not more and more.
const MEMORY: u64 = 512 << 20;

/// Role, instances' connections at most: pool, lanes and relay; two a projection, and the books; the pool.
const CONNECTIONS: [(&str, usize); 3] = [
    ("feedmill_write", 8 + 8 + 2),
    ("feedmill_projector", 2 * 5 + 4),
    ("feedmill_read", 16),
];

/// How many accounts look at everything, and how many posts and conversations they look at one by one.
const VIEWERS: usize = 4;
const SAMPLE: usize = 600;

/// Checks everything; returns the counts, and adds what is wrong to `wrong`.
pub async fn of(
    world: &World,
    chaos: &Chaos,
    reports: &[Report],
    healed: Instant,
    wrong: &mut Vec<String>,
) -> String {
    let entries = || reports.iter().flat_map(|report| &report.entries);
    wrong.extend(reports.iter().flat_map(|report| report.wrong.clone()));
    let unanswered = entries().filter(|entry| entry.outcome == Outcome::Unanswered);
    wrong.extend(unanswered.map(|entry| format!("no definite answer: {entry:?}")));

    let limit = CONVERGENCE.saturating_sub(healed.elapsed());
    match timeout(limit, converge(world, chaos)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => wrong.push(format!("{error:#}")),
        Err(_) => wrong.push(format!(
            "not converged {CONVERGENCE:?} after the end of the faults: {}",
            standing(world, chaos).await
        )),
    }
    let converged = healed.elapsed();
    chaos
        .chronicle
        .say("converged, or given up; now all is compared");
    let checked = check(world, chaos, entries, wrong).await;
    let reads = checked.unwrap_or_else(|error| {
        wrong.push(format!("{error:#}"));
        0
    });
    wrong.extend(panics(world));
    let memory = services_memory(Some(&world.pids()));
    let most = memory.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
    if most > MEMORY {
        wrong.push(format!("memory: {memory:?}"));
    }

    let count = |fits: fn(&Outcome) -> bool| entries().filter(|entry| fits(&entry.outcome)).count();
    let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
    format!(
        "{} faults, {} acknowledged, {} refused, {} attempts of unknown outcome, {} commands resolved after \
         such, {} reads meanwhile ({} more were refused), {reads} reads compared, converged after {:.1} s, at most \
         {} MiB a process",
        chaos.faults,
        count(|outcome| matches!(outcome, Outcome::Acknowledged { .. })),
        count(|outcome| matches!(outcome, Outcome::Refused { .. })),
        sum(|report| report.unknown),
        sum(|report| report.resolved),
        sum(|report| report.reads),
        sum(|report| report.reads_refused),
        converged.as_secs_f64(),
        most >> 20
    )
}

/// Waits until every service is ready, every projection at the log's head, and the stream as the log.
async fn converge(world: &World, chaos: &Chaos) -> Result<()> {
    for service in world.services() {
        while !service.is_ready().await {
            sleep(Duration::from_millis(100)).await;
        }
    }
    chaos.chronicle.say("every service is ready");
    let client = world.client();
    client.wait_for(&log::heads(&world.pool).await?);
    let account: uuid::Uuid = sqlx::query_scalar("SELECT id FROM write.accounts LIMIT 1")
        .fetch_one(&world.pool)
        .await?;
    for url in &world.stack().read {
        let client = client
            .with_read(url)
            .with_token(&world.signer.token(account));
        for path in [
            "me",
            "feed",
            "digest?period=day",
            "conversations",
            "notifications",
        ] {
            client.get(&format!("/v1/{path}")).await;
        }
    }
    chaos.chronicle.say("every projection is at the log's head");
    while stream::check(world.nats_url(), &world.pool, &chaos.deleted)
        .await
        .is_err()
    {
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// What there is to say of a world that does not converge.
async fn standing(world: &World, chaos: &Chaos) -> String {
    let mut said = Vec::new();
    for service in world.services() {
        said.push(format!(
            "{} ready: {}",
            service.name,
            service.is_ready().await
        ));
    }
    let behind: Result<Vec<(String, i64)>, _> = sqlx::query_as(
        "SELECT c.projection, sum(p.head - c.seq)::bigint FROM projector.checkpoints c
         JOIN projector.projections l ON l.name = c.projection AND l.generation = c.generation
         JOIN write.partitions p ON p.id = c.partition GROUP BY 1",
    )
    .fetch_all(&world.pool)
    .await;
    said.push(format!("events behind: {behind:?}"));
    let stream = stream::check(world.nats_url(), &world.pool, &chaos.deleted).await;
    said.push(format!("stream: {stream:?}"));
    said.join("; ")
}

async fn check<'a, I: Iterator<Item = &'a Entry>>(
    world: &World,
    chaos: &Chaos,
    entries: impl Fn() -> I,
    wrong: &mut Vec<String>,
) -> Result<usize> {
    log::check_dense(&world.pool).await?;
    let demanded = ledger::demanded(entries());
    let found = ledger::found(&world.pool).await?;
    wrong.extend(ledger::differences(&demanded, &found).into_iter().take(20));
    let model = log::fold(&world.pool).await.context("the log")?;
    log::check_state(&world.pool, &model)
        .await
        .context("write tables")?;
    wrong.extend(ledger::profiles(entries(), &model));

    let mut rng = StdRng::seed_from_u64(0);
    let mut viewers: Vec<_> = model.accounts.keys().copied().collect();
    viewers.shuffle(&mut rng);
    viewers.truncate(VIEWERS);
    let today = token::now().date_naive();
    let scope = Scope {
        viewers: &viewers,
        limits: &[17, 100],
        days: &[today, today - chrono::Days::new(1)],
        sample: SAMPLE,
    };
    let client = world.client();
    client.wait_for(&log::heads(&world.pool).await?);
    let reads = match every_read(world, &client, &model, &scope).await {
        Ok(reads) => reads,
        Err(error) => {
            wrong.push(format!("{error:#}"));
            0
        }
    };
    chaos.chronicle.say("every read is compared");
    if fault::has_subcommand(world, "verify") {
        let verified = run(
            &service("projector"),
            &["verify", "--all"],
            &world.stack().environment,
        );
        let said = [verified.stdout, verified.stderr].concat();
        if !verified.status.success() {
            wrong.push(format!(
                "projector verify: {}",
                String::from_utf8_lossy(&said)
            ));
        }
        chaos
            .chronicle
            .say("projector verify has looked at everything");
    }
    connections(world).await?;
    Ok(reads)
}

/// No role has more connections than its services' pools may make.
async fn connections(world: &World) -> Result<()> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT usename::text, count(*) FROM pg_stat_activity WHERE usename IS NOT NULL GROUP BY 1",
    )
    .fetch_all(&world.pool)
    .await?;
    let instances = [&world.write, &world.projectors, &world.read].map(Vec::len);
    for ((role, each), instances) in CONNECTIONS.into_iter().zip(instances) {
        let count = rows
            .iter()
            .find(|(name, _)| name == role)
            .map_or(0, |(_, count)| *count);
        ensure!(
            usize::try_from(count)? <= each * instances,
            "{instances} services have {count} connections as {role}: {rows:?}"
        );
    }
    Ok(())
}

/// No service has panicked.
fn panics(world: &World) -> Vec<String> {
    let lines = |log: String| {
        let lines = log.lines().filter(|line| line.contains("panicked at"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    world
        .services()
        .flat_map(|service| {
            lines(service.log())
                .into_iter()
                .map(|line| format!("{}: {line}", service.name))
        })
        .collect()
}
