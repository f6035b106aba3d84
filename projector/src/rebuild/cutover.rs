//! The cutover: a shadow becomes the live model, in one transaction that renames the schemas.
//!
//! Reads find tables through schema names. While one is being planned, it looks tables up one after the other, and must
//! not find some of either generation. So the live tables are locked against reads while the schemas are renamed. A read
//! that started earlier is waited for. A read that starts during the lock looks the names up again afterwards, and cached
//! plans are made anew because the schemas changed.
//!
//! The wait for this lock has a short timeout and is retried, because new reads queue behind it while it waits for a slow
//! one. Each attempt locks the tables in another order: reads lock tables in orders of their own, and with a conflicting
//! order the two wait for each other until one of them gives up. A longer timeout does not resolve such a cycle, only
//! another order does. So the first timeouts are no longer than a typical read takes.

use std::time::Duration;

use feedmill_service::sql::named;
use sqlx::{Connection as _, PgConnection, query};

use super::{
    control,
    output::Output,
    replay::{self, Target},
    schemas::{self, rename_schema, run},
    session::Session,
    shadow::Shadow,
    tables,
};
use crate::{
    announce::Announcer,
    audit::{self, AuditEntry},
    error::ApplyError,
    projection::Definition,
    schema,
};

/// How long an attempt waits for running reads, and thereby blocks new ones. Doubled after every
/// `ATTEMPTS_PER_TIMEOUT` attempts, in case most reads take longer. The maximum is below `deadlock_timeout` (1 s), so no
/// read is cancelled that has locked one table and waits for another.
const MIN_READ_LOCK_TIMEOUT: Duration = Duration::from_millis(10);
const MAX_READ_LOCK_TIMEOUT: Duration = Duration::from_millis(640);
const ATTEMPTS_PER_TIMEOUT: u32 = 50;
/// How long an attempt waits for running batches. Projecting continues afterwards.
const WRITE_LOCK_TIMEOUT: &str = "10s";
const MAX_ATTEMPTS: u32 = 400;
const RETRY_DELAY: Duration = Duration::from_millis(30);
/// The maximum number of events in a batch within the transaction.
const BATCH_EVENTS: i64 = 4_000;

/// Why a generation becomes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Equal,
    Accepted,
    RolledBack,
}

impl Reason {
    fn text(self) -> &'static str {
        match self {
            Self::Equal => "equal to the previous one",
            Self::Accepted => "differences accepted",
            Self::RolledBack => "rolled back",
        }
    }
}

/// Makes a shadow the live model, at the live position or after it, so that reads never go back in time; and announces
/// the cutover. Cached responses stay valid if the generations are equal and the caches hear so before the first batch of
/// the new generation. Its worker must restart before that, so after the commit nothing is left to do but to publish.
pub async fn cut_over(
    session: &mut Session,
    shadow: &mut Shadow,
    reason: Reason,
    output: &mut Output,
) -> anyhow::Result<()> {
    output.step(session.projection, "cutover");
    let announcer = Announcer::connect(&session.nats, &mut session.db).await;
    for attempt in 1.. {
        shadow.follow(session, output).await?;
        let applied = shadow.applied.clone();
        match attempt_cutover(session, shadow, reason, attempt).await {
            Err(ApplyError::Sql(error)) if attempt < MAX_ATTEMPTS && is_lock_conflict(&error) => {
                tracing::debug!(%error, attempt, "cutover: the tables are in use, retrying");
                shadow.applied = applied;
                tokio::time::sleep(RETRY_DELAY).await;
            }
            result => {
                let generation = result?;
                if let Some(announcer) = &announcer {
                    let equals = (reason == Reason::Equal).then_some(generation - 1);
                    let projection = session.projection.projection;
                    announcer
                        .announce_cutover(projection, generation, equals)
                        .await;
                }
                output.live(session.projection, generation, reason.text());
                break;
            }
        }
    }
    Ok(())
}

fn read_lock_timeout(attempt: u32) -> Duration {
    let doublings = attempt / ATTEMPTS_PER_TIMEOUT;
    let timeout = MIN_READ_LOCK_TIMEOUT * 2u32.saturating_pow(doublings).min(64);
    timeout.min(MAX_READ_LOCK_TIMEOUT)
}

/// Reorders the tables differently for every attempt, as far as there are so many orders.
fn permute(tables: &mut [String], attempt: u32) {
    let mut code = attempt.wrapping_mul(7_919);
    for first in 0..tables.len() {
        let left = (tables.len() - first) as u32;
        tables.swap(first, first + (code % left) as usize);
        code /= left;
    }
}

/// Whether a lock timed out (`55P03`, `57014`) or deadlocked (`40P01`).
fn is_lock_conflict(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["55P03", "57014", "40P01"].contains(&code.as_ref()))
}

/// Returns the new live generation.
async fn attempt_cutover(
    session: &mut Session,
    shadow: &mut Shadow,
    reason: Reason,
    attempt: u32,
) -> Result<i32, ApplyError> {
    let projection = session.projection;
    let mut tx = session.db.begin().await?;
    run(
        format!(
            "SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '{WRITE_LOCK_TIMEOUT}'"
        ),
        &mut tx,
    )
    .await?;
    let lock = query!(
        "/* rebuild.lock_schemas */ SELECT pg_advisory_xact_lock($1)",
        schema::LOCK_KEY
    );
    named("rebuild.lock_schemas", lock.execute(&mut *tx)).await?;
    let mut tables: Vec<String> = tables::tables(projection.name(), &mut tx)
        .await?
        .into_iter()
        .map(|table| format!("{}.{}", projection.name(), table.name))
        .collect();
    permute(&mut tables, attempt);
    let lock_tables = |mode| format!("LOCK TABLE {} IN {mode} MODE", tables.join(", "));
    // Cancels a running autovacuum, which the short timeout below would never outlast, and prevents a new one.
    run(lock_tables("SHARE UPDATE EXCLUSIVE"), &mut tx).await?;
    let old = control::lock_live(projection, &mut tx).await?;
    let (_, live) = control::live(projection, &mut tx).await?;
    let mut target = Target {
        projection,
        context: &session.context,
        db: &mut tx,
        generation: shadow.generation,
        applied: &mut shadow.applied,
    };
    replay::replay_within(&session.source, &mut target, BATCH_EVENTS, &live).await?;
    let millis = read_lock_timeout(attempt).as_millis();
    run(
        format!("SET LOCAL lock_timeout = {millis}; SET LOCAL statement_timeout = {millis}"),
        &mut tx,
    )
    .await?;
    run(lock_tables("ACCESS EXCLUSIVE"), &mut tx).await?;
    run("SET LOCAL statement_timeout = 0".to_owned(), &mut tx).await?;
    let generation = old + 1;
    swap_schemas(projection, shadow, generation, &mut tx).await?;
    let dropped: Vec<i32> = control::generations(projection, &mut tx)
        .await?
        .into_iter()
        .filter(|known| ![old, generation].contains(known))
        .collect();
    control::delete_generations(projection, &dropped, &mut tx).await?;
    control::set_live(projection, generation, &mut tx).await?;
    let entry = AuditEntry {
        by: &session.by,
        action: "cutover",
        projection: projection.name(),
        reason: reason.text(),
        ..AuditEntry::default()
    };
    audit::record(&entry, &mut tx).await?;
    tx.commit().await?;
    Ok(generation)
}

async fn swap_schemas(
    projection: &Definition,
    shadow: &Shadow,
    generation: i32,
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    let (live, next) = (projection.name(), schemas::next(projection));
    let previous = schemas::previous(projection);
    if shadow.schema == previous {
        // The name of the next generation is free, since no rebuild is unfinished.
        schemas::drop_schema(&next, db).await?;
        rename_schema(live, &next, db).await?;
        rename_schema(&previous, live, db).await?;
        rename_schema(&next, &previous, db).await?;
        if let Some(number) = shadow.generation {
            control::renumber(projection, number, generation, db).await?;
        }
    } else {
        schemas::drop_schema(&previous, db).await?;
        rename_schema(live, &previous, db).await?;
        rename_schema(&next, live, db).await?;
        control::end(projection, db).await?;
    }
    Ok(())
}
