//! Rebuilds a projection's tables from the log beside the live ones.
//!
//! A rebuild fills a shadow, the schema `<projection>_next`, with the same code that applies live events ([`replay`]):
//! first in large batches, then it creates the secondary indexes and the derived tables ([`shadow`]). The shadow never
//! gets ahead of the live model, so the two can be compared at exactly the same position ([`compare`]). The cutover swaps
//! them in one transaction ([`cutover`]). The old model stays as `<projection>_previous` until it is dropped, and a
//! rollback cuts over to it. Progress is recorded in the control schema ([`control`]), in the transactions that make it,
//! so a rebuild that was killed resumes after its last commit.

mod compare;
mod control;
mod cutover;
pub mod output;
pub mod progress;
mod replay;
mod schemas;
mod session;
mod settings;
mod shadow;
mod source;
pub(crate) mod tables;

use anyhow::{bail, ensure};

use self::{cutover::Reason, output::Output, session::Session, shadow::Shadow};
pub use self::{
    session::LOCK_KEY,
    settings::{Outcome, Settings},
};
use crate::projection::Definition;

/// Fills the next generation and cuts over to it, if it equals the live one or `accept_differences` is set.
pub async fn rebuild(
    projection: &'static Definition,
    settings: &Settings,
    accept_differences: bool,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let Some(mut session) = Session::open(projection, settings).await? else {
        return Ok(Outcome::Busy);
    };
    let how = if accept_differences {
        "started; differences are accepted"
    } else {
        "started"
    };
    session.audit("rebuild", how).await?;
    let mut next = Shadow::next(&mut session, output).await?;
    next.fill(&mut session, output).await?;
    let differences = compare::compare(&mut session, &mut next, output).await?;
    let is_equal = differences.is_empty();
    for difference in differences {
        output.difference(projection, difference);
    }
    if !is_equal && !accept_differences {
        output.message(
            projection,
            "the rebuilt model differs from the live one, which stays live; see --accept-differences",
        );
        return Ok(Outcome::Differs);
    }
    let reason = if is_equal {
        Reason::Equal
    } else {
        Reason::Accepted
    };
    cutover::cut_over(&mut session, &mut next, reason, output).await?;
    session.close().await?;
    Ok(Outcome::Done)
}

/// Fills a temporary shadow, and compares the live model with it.
pub async fn verify(
    projection: &'static Definition,
    settings: &Settings,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let Some(mut session) = Session::open(projection, settings).await? else {
        return Ok(Outcome::Busy);
    };
    session.audit("verify", "started").await?;
    let mut shadow = Shadow::temporary(&mut session).await?;
    shadow.fill(&mut session, output).await?;
    let differences = compare::compare(&mut session, &mut shadow, output).await?;
    let is_equal = differences.is_empty();
    for difference in differences {
        output.difference(projection, difference);
    }
    shadow.discard(&mut session).await?;
    session.close().await?;
    if is_equal {
        output.message(projection, "the live model equals the log");
        Ok(Outcome::Done)
    } else {
        output.message(projection, "the live model differs from the log");
        Ok(Outcome::Differs)
    }
}

/// Brings the previous generation up to the live position, and cuts over to it.
pub async fn rollback(
    projection: &'static Definition,
    settings: &Settings,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let Some(mut session) = Session::open(projection, settings).await? else {
        return Ok(Outcome::Busy);
    };
    if control::find(projection, &mut session.db).await?.is_some() {
        bail!(
            "a rebuild of {} is unfinished; finish it with `rebuild`, or drop it with `abort`",
            projection.name()
        );
    }
    let mut shadow = Shadow::previous(&mut session).await?;
    session.audit("rollback", "started").await?;
    shadow.follow(&mut session, output).await?;
    cutover::cut_over(&mut session, &mut shadow, Reason::RolledBack, output).await?;
    session.close().await?;
    Ok(Outcome::Done)
}

/// Drops the previous generation, after which there is nothing to roll back to.
pub async fn drop_previous(
    projection: &'static Definition,
    settings: &Settings,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let Some(mut session) = Session::open(projection, settings).await? else {
        return Ok(Outcome::Busy);
    };
    let schema = schemas::previous(projection);
    let exists = schemas::exists(&schema, &mut session.db).await?;
    ensure!(exists, "the schema {schema} does not exist");
    let (live, _) = control::live(projection, &mut session.db).await?;
    session
        .drop_schema(&schema, |generation| generation < live, "drop-previous")
        .await?;
    session.close().await?;
    output.message(projection, "dropped the previous generation");
    Ok(Outcome::Done)
}

/// Drops an unfinished rebuild.
pub async fn abort(
    projection: &'static Definition,
    settings: &Settings,
    output: &mut Output,
) -> anyhow::Result<Outcome> {
    let Some(mut session) = Session::open(projection, settings).await? else {
        return Ok(Outcome::Busy);
    };
    let schema = schemas::next(projection);
    let is_unfinished = control::find(projection, &mut session.db).await?.is_some();
    if !is_unfinished && !schemas::exists(&schema, &mut session.db).await? {
        bail!("no rebuild of {} is unfinished", projection.name());
    }
    let (live, _) = control::live(projection, &mut session.db).await?;
    session
        .drop_schema(&schema, |generation| generation > live, "abort")
        .await?;
    session.close().await?;
    output.message(projection, "dropped the unfinished rebuild");
    Ok(Outcome::Done)
}
