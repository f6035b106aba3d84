//! Two generations change places, in one transaction.
//!
//! Reads find their tables by schema names. One that is being planned finds one table after the other, and
//! must not find one of either generation: so the tables that were live are locked against reads for the
//! moment in which the names change. A read that came before is waited for, one that comes while they are
//! locked looks the names up again, and a plan that was kept is made anew, since the schemas have changed.
//! That wait is short and tried again, so that a slow read, behind which others would queue, is no harm. And
//! each time in another order of the tables: reads lock them in orders of their own, and only when ours fits
//! theirs does nobody wait for somebody who waits for him. Out of such a circle no patience helps, only another
//! try; so patience begins at what a read takes.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, query};

use super::{
    aside::{self, Aside},
    books,
    replay::{self, Target},
    session::{self, Session, next, previous, run},
    show::Show,
};
use crate::{announce, error::ApplyError, projection::Definition, schema};

/// How long reads may be kept waiting at once: doubled now and then, in case that most of them take longer.
/// Less than `deadlock_timeout` (1 s), so that no read is ended that has locked one table and waits for another.
const LOCK_READS_FIRST: Duration = Duration::from_millis(10);
const LOCK_READS_MOST: Duration = Duration::from_millis(640);
const DOUBLED_EVERY: u32 = 50;
/// And projecting, which goes on afterwards where it was.
const LOCK_WRITES: &str = "10s";
const ATTEMPTS: u32 = 400;
const RETRY: Duration = Duration::from_millis(30);
/// Events of a batch within the transaction.
const EVENTS: i64 = 4_000;

/// Why a generation goes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Equal,
    Accepted,
    RolledBack,
}

impl Why {
    fn text(self) -> &'static str {
        match self {
            Self::Equal => "equal to the one before",
            Self::Accepted => "differences accepted",
            Self::RolledBack => "rolled back",
        }
    }
}

/// Makes what is aside the live model, at the live position or after it, so that reads never go back; and says
/// so to those who keep answers. What they keep is good for a generation that equals the one before as well, if
/// they hear of it before the first batch of the new one, for which its worker first starts over; so nothing is left
/// to be done then but to send it.
pub async fn go_live(
    session: &mut Session,
    aside: &mut Aside,
    why: Why,
    show: &mut Show,
) -> anyhow::Result<()> {
    show.step(session.projection, "going live");
    let nats = announce::connect(&session.nats_url).await;
    for attempt in 1.. {
        aside.follow(session, show).await?;
        let before = aside.done.clone();
        let patience = LOCK_READS_FIRST * 2u32.saturating_pow(attempt / DOUBLED_EVERY).min(64);
        match exchange(
            session,
            aside,
            why.text(),
            attempt,
            patience.min(LOCK_READS_MOST),
        )
        .await
        {
            Err(ApplyError::Sql(error)) if attempt < ATTEMPTS && is_wait(&error) => {
                tracing::debug!(%error, attempt, "somebody uses the tables; trying again");
                aside.done = before;
                tokio::time::sleep(RETRY).await;
            }
            result => {
                let generation = result?;
                if let Some(nats) = nats {
                    let equals = (why == Why::Equal).then_some(generation - 1);
                    announce::gone_live(&nats, session.projection.projection, generation, equals)
                        .await;
                }
                show.live(session.projection, generation, why.text());
                break;
            }
        }
    }
    Ok(())
}

/// Another order for every attempt, as far as there are so many.
fn permute(tables: &mut [String], attempt: u32) {
    let mut code = attempt.wrapping_mul(7_919);
    for first in 0..tables.len() {
        let left = (tables.len() - first) as u32;
        tables.swap(first, first + (code % left) as usize);
        code /= left;
    }
}

/// Locks that were not to be had in time, or a deadlock.
fn is_wait(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["55P03", "57014", "40P01"].contains(&code.as_ref()))
}

/// Gives the generation that is live now.
async fn exchange(
    session: &mut Session,
    aside: &mut Aside,
    how: &str,
    attempt: u32,
    patience: Duration,
) -> Result<i32, ApplyError> {
    let projection = session.projection;
    let mut tx = session.db.begin().await?;
    run(
        format!("SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '{LOCK_WRITES}'"),
        &mut tx,
    )
    .await?;
    let lock = query!(
        "/* rebuild.lock_schemas */ SELECT pg_advisory_xact_lock($1)",
        schema::LOCK
    );
    lock.execute(&mut *tx).await?;
    let mut tables: Vec<String> = aside::tables(projection.name(), &mut tx)
        .await?
        .into_iter()
        .map(|table| format!("{}.{}", projection.name(), table.name))
        .collect();
    permute(&mut tables, attempt);
    let lock_all = |mode| format!("LOCK TABLE {} IN {mode} MODE", tables.join(", "));
    // Ends an autovacuum, for which the short wait below would never be enough, and lets none begin.
    run(lock_all("SHARE UPDATE EXCLUSIVE"), &mut tx).await?;
    let old = books::hold_live(projection, &mut tx).await?;
    let (_, live) = books::live(projection, &mut tx).await?;
    let mut target = Target {
        projection,
        context: &session.context,
        db: &mut tx,
        generation: aside.generation,
        done: &mut aside.done,
    };
    replay::replay_within(&session.source, &mut target, EVENTS, &live).await?;
    let millis = patience.as_millis();
    run(
        format!("SET LOCAL lock_timeout = {millis}; SET LOCAL statement_timeout = {millis}"),
        &mut tx,
    )
    .await?;
    run(lock_all("ACCESS EXCLUSIVE"), &mut tx).await?;
    run("SET LOCAL statement_timeout = 0".to_owned(), &mut tx).await?;
    let generation = old + 1;
    rename(projection, aside, generation, &mut tx).await?;
    let gone: Vec<i32> = books::generations(projection, &mut tx)
        .await?
        .into_iter()
        .filter(|known| ![old, generation].contains(known))
        .collect();
    books::forget(projection, &gone, &mut tx).await?;
    books::set_live(projection, generation, &mut tx).await?;
    books::audit(projection, &session.by, "go live", how, &mut tx).await?;
    tx.commit().await?;
    Ok(generation)
}

async fn rename(
    projection: &Definition,
    aside: &Aside,
    generation: i32,
    db: &mut PgConnection,
) -> sqlx::Result<()> {
    let (next, previous) = (next(projection), previous(projection));
    if aside.schema == previous {
        // By way of the name that is free, since no rebuild is under way.
        session::drop_schema(&next, db).await?;
        rename_schema(projection.name(), &next, db).await?;
        rename_schema(&previous, projection.name(), db).await?;
        rename_schema(&next, &previous, db).await?;
        if let Some(number) = aside.generation {
            books::renumber(projection, number, generation, db).await?;
        }
    } else {
        session::drop_schema(&previous, db).await?;
        rename_schema(projection.name(), &previous, db).await?;
        rename_schema(&next, projection.name(), db).await?;
        books::end(projection, db).await?;
    }
    Ok(())
}

async fn rename_schema(from: &str, to: &str, db: &mut PgConnection) -> sqlx::Result<()> {
    run(format!("ALTER SCHEMA {from} RENAME TO {to}"), db).await?;
    let statement = query!(
        "/* rebuild.rename_laid */ UPDATE laid_migrations SET schema = $2 WHERE schema = $1",
        from,
        to,
    );
    statement.execute(db).await.map(drop)
}
