//! What must hold after the end of the faults.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use feedmill_events::Projection;
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::time::{sleep, timeout};

use super::{
    effects,
    fault::Injector,
    load::Report,
    operation::{HistoryEntry, Outcome},
};
use crate::{
    compare::{Scope, every_read},
    endpoints, jetstream,
    kit::{Role, Stack, services_memory},
    log, token,
};

/// After the end of the faults, everything is back to normal within this time.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Memory of a process at most. A debug build takes more than a release build, but does not grow.
const MAX_MEMORY: u64 = 512 << 20;

/// Connections of an instance at most. write-api: pool, lanes and relay; projector: two for each projection and a
/// few for its own tables; read-api: pool.
const MAX_CONNECTIONS: [(Role, usize); 3] = [
    (Role::WriteApi, 8 + 8 + 2),
    (Role::Projector, 2 * Projection::ALL.len() + 4),
    (Role::ReadApi, 16),
];

/// Accounts whose reads are compared, and about how many posts and conversations each of them reads.
const VIEWERS: usize = 4;
const SAMPLE: usize = 600;

/// Makes all checks. Returns a summary and adds what failed to `failures`.
pub async fn run(
    stack: &Stack,
    injector: &Injector,
    reports: &[Report],
    healed: Instant,
    failures: &mut Vec<String>,
) -> String {
    let entries = || reports.iter().flat_map(|report| &report.entries);
    failures.extend(reports.iter().flat_map(|report| report.wrong.clone()));
    let unanswered = entries().filter(|entry| entry.outcome == Outcome::Unanswered);
    failures.extend(unanswered.map(|entry| format!("no definite answer: {entry:?}")));

    let limit = RECOVERY_TIMEOUT.saturating_sub(healed.elapsed());
    match timeout(limit, recovery(stack, injector)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => failures.push(format!("{error:#}")),
        Err(_) => failures.push(format!(
            "not recovered {RECOVERY_TIMEOUT:?} after the end of the faults: {}",
            status(stack, injector).await
        )),
    }
    let recovered = healed.elapsed();
    injector
        .timeline
        .print("recovered, or timed out; comparing everything");
    let checked = check(stack, injector, entries, failures).await;
    let reads = checked.unwrap_or_else(|error| {
        failures.push(format!("{error:#}"));
        0
    });
    failures.extend(panics(stack));
    let memory = services_memory(Some(&stack.pids()));
    let most = memory.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
    if most > MAX_MEMORY {
        failures.push(format!("memory: {memory:?}"));
    }

    let count = |fits: fn(&Outcome) -> bool| entries().filter(|entry| fits(&entry.outcome)).count();
    let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
    format!(
        "{} faults, {} commands acknowledged, {} refused, {} attempts with unknown outcome, {} commands resolved \
         after such attempts, {} reads during the faults ({} more were refused), {reads} reads compared, recovered \
         after {:.1} s, at most {} MiB a process",
        injector.faults,
        count(|outcome| matches!(outcome, Outcome::Acknowledged { .. })),
        count(|outcome| matches!(outcome, Outcome::Refused { .. })),
        sum(|report| report.unknown),
        sum(|report| report.resolved),
        sum(|report| report.reads),
        sum(|report| report.reads_refused),
        recovered.as_secs_f64(),
        most >> 20
    )
}

/// Waits until every service is ready, every projection is at the head of the log, and the stream is equal to the
/// log.
async fn recovery(stack: &Stack, injector: &Injector) -> Result<()> {
    for service in stack.services() {
        while !service.is_ready().await {
            sleep(Duration::from_millis(100)).await;
        }
    }
    injector.timeline.print("every service is ready");
    let client = stack.client();
    client.wait_for(&log::heads(&stack.pool).await?);
    let account: uuid::Uuid = sqlx::query_scalar("SELECT id FROM write.accounts LIMIT 1")
        .fetch_one(&stack.pool)
        .await?;
    for url in &stack.target.read {
        let client = client
            .with_read(url)
            .with_token(&stack.signer.token(account));
        for endpoint in endpoints::own_reads() {
            client.get(&endpoint.first_path()).await;
        }
    }
    injector
        .timeline
        .print("every projection is at the head of the log");
    while jetstream::check(stack.nats_url(), &stack.pool, &injector.deleted)
        .await
        .is_err()
    {
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Describes a stack that does not recover.
async fn status(stack: &Stack, injector: &Injector) -> String {
    let mut parts = Vec::new();
    for service in stack.services() {
        let ready = service.is_ready().await;
        parts.push(format!("{} ready: {ready}", service.name));
    }
    let behind: Result<Vec<(String, i64)>, _> = sqlx::query_as(
        "SELECT c.projection, sum(p.head - c.seq)::bigint FROM projector.checkpoints c
         JOIN projector.projections l ON l.name = c.projection AND l.generation = c.generation
         JOIN write.partitions p ON p.id = c.partition GROUP BY 1",
    )
    .fetch_all(&stack.pool)
    .await;
    parts.push(format!("events behind: {behind:?}"));
    let stream = jetstream::check(stack.nats_url(), &stack.pool, &injector.deleted).await;
    parts.push(format!("stream: {stream:?}"));
    parts.join("; ")
}

/// Returns the number of reads that were compared.
async fn check<'a, I: Iterator<Item = &'a HistoryEntry>>(
    stack: &Stack,
    injector: &Injector,
    entries: impl Fn() -> I,
    failures: &mut Vec<String>,
) -> Result<usize> {
    log::check_dense(&stack.pool).await?;
    let expected = effects::expected(entries());
    let logged = effects::logged(&stack.pool).await?;
    let differences = effects::differences(&expected, &logged);
    failures.extend(differences.into_iter().take(20));
    let oracle = log::fold(&stack.pool).await.context("the log")?;
    log::check_state(&stack.pool, &oracle)
        .await
        .context("the state tables")?;
    failures.extend(effects::profile_differences(entries(), &oracle));

    let mut rng = StdRng::seed_from_u64(0);
    let mut viewers: Vec<_> = oracle.accounts.keys().copied().collect();
    viewers.shuffle(&mut rng);
    viewers.truncate(VIEWERS);
    let today = token::now().date_naive();
    let scope = Scope {
        viewers: &viewers,
        limits: &[17, 100],
        days: &[today, today - chrono::Days::new(1)],
        sample: SAMPLE,
    };
    let client = stack.client();
    client.wait_for(&log::heads(&stack.pool).await?);
    let reads = match every_read(stack, &client, &oracle, &scope).await {
        Ok(reads) => reads,
        Err(error) => {
            failures.push(format!("{error:#}"));
            0
        }
    };
    injector.timeline.print("every read is compared");
    let verified = stack.run("projector", &["verify", "--all"]);
    if !verified.status.success() {
        let text = [verified.stdout, verified.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        failures.push(format!("projector verify: {text}"));
    }
    injector.timeline.print("every read model is verified");
    check_connections(stack).await?;
    Ok(reads)
}

/// No role has more connections than the pools of its services allow.
async fn check_connections(stack: &Stack) -> Result<()> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT usename::text, count(*) FROM pg_stat_activity WHERE usename IS NOT NULL GROUP BY 1",
    )
    .fetch_all(&stack.pool)
    .await?;
    let instances = [&stack.write, &stack.projectors, &stack.read].map(Vec::len);
    for ((role, each), instances) in MAX_CONNECTIONS.into_iter().zip(instances) {
        let count = rows
            .iter()
            .find(|(name, _)| name == role.name())
            .map_or(0, |(_, count)| *count);
        ensure!(
            usize::try_from(count)? <= each * instances,
            "{instances} services have {count} connections as {role:?}: {rows:?}"
        );
    }
    Ok(())
}

/// Panics in the logs of the services.
fn panics(stack: &Stack) -> Vec<String> {
    let panics = stack.services().flat_map(|service| {
        let log = service.log();
        let lines = log.lines().filter(|line| line.contains("panicked at"));
        let lines = lines.map(|line| format!("{}: {line}", service.name));
        lines.collect::<Vec<_>>()
    });
    panics.collect()
}
