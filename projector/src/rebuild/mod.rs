//! Making a projection's tables anew from the log, beside the live ones.
//!
//! A rebuild fills the schema `<projection>_next` with the same code that projects live ([`replay`]), first in
//! large batches, then with its indexes and derived tables ([`aside`]). It never gets ahead of the live model,
//! so the two can be brought to exactly the same position and compared ([`compare`]), and then change places in
//! one transaction ([`exchange`]). The old one stays as `<projection>_previous` until it is dropped, and a
//! rollback makes the two change places again. How far it is stands in the books ([`books`]), in the
//! transactions that it is about: whoever is killed goes on where the last commit was.

mod aside;
mod books;
mod compare;
mod exchange;
mod replay;
mod session;
pub mod show;
mod source;

use anyhow::{bail, ensure};

use self::{
    aside::Aside,
    exchange::Why,
    session::{Session, previous},
    show::Show,
};
use crate::projection::{Context, Definition};

/// What an operator chose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// As the role that owns the read models.
    pub url: String,
    /// Where it is announced that a generation has gone live, if anybody is there.
    pub nats_url: String,
    pub context: Context,
    /// While the live model is further behind (events), the replay waits.
    pub max_live_lag: i64,
    /// Also apply what an operator had the live model skip.
    pub with_skipped: bool,
    /// Who does it, for the audit.
    pub by: String,
}

/// How it ended, if nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Done,
    /// The tables are not what the log says, and nothing was changed.
    Differs,
    /// Another rebuild, verification or rollback of this projection is at work.
    Busy,
}

/// Makes the next generation, and if it equals the live one (or that does not matter), makes it live.
pub async fn rebuild(
    projection: &'static Definition,
    settings: &Settings,
    accept_differences: bool,
    show: &mut Show,
) -> anyhow::Result<Outcome> {
    let Some(mut session) = Session::open(projection, settings).await? else {
        return Ok(Outcome::Busy);
    };
    let mut next = Aside::next(&mut session, show).await?;
    next.fill(&mut session, show).await?;
    let differences = compare::compare(&mut session, &mut next, show).await?;
    for difference in &differences {
        show.difference(projection, difference);
    }
    if !differences.is_empty() && !accept_differences {
        show.say(
            projection,
            "differs from the live model, which stays; see --accept-differences",
        );
        return Ok(Outcome::Differs);
    }
    let why = if differences.is_empty() {
        Why::Equal
    } else {
        Why::Accepted
    };
    exchange::go_live(&mut session, &mut next, why, show).await?;
    session.close().await?;
    Ok(Outcome::Done)
}

/// Replays the log aside, and compares.
pub async fn verify(
    projection: &'static Definition,
    settings: &Settings,
    show: &mut Show,
) -> anyhow::Result<Outcome> {
    let Some(mut session) = Session::open(projection, settings).await? else {
        return Ok(Outcome::Busy);
    };
    let mut aside = Aside::scratch(&mut session).await?;
    aside.fill(&mut session, show).await?;
    let differences = compare::compare(&mut session, &mut aside, show).await?;
    for difference in &differences {
        show.difference(projection, difference);
    }
    aside.discard(&mut session).await?;
    session.close().await?;
    if differences.is_empty() {
        show.say(projection, "equals what the log says");
        Ok(Outcome::Done)
    } else {
        show.say(projection, "differs from what the log says");
        Ok(Outcome::Differs)
    }
}

/// Brings the generation before this one up to the live position, and makes it live again.
pub async fn rollback(
    projection: &'static Definition,
    settings: &Settings,
    show: &mut Show,
) -> anyhow::Result<Outcome> {
    let Some(mut session) = Session::open(projection, settings).await? else {
        return Ok(Outcome::Busy);
    };
    if books::find(projection, &mut session.db).await?.is_some() {
        bail!(
            "a rebuild of {} is under way; end it first, or `abort` it",
            projection.name()
        );
    }
    let mut aside = Aside::previous(&mut session).await?;
    aside.follow(&mut session, show).await?;
    exchange::go_live(&mut session, &mut aside, Why::RolledBack, show).await?;
    session.close().await?;
    Ok(Outcome::Done)
}

/// Drops the generation before this one: there is no rollback any more.
pub async fn drop_previous(
    projection: &'static Definition,
    settings: &Settings,
    show: &mut Show,
) -> anyhow::Result<Outcome> {
    let Some(mut session) = Session::open(projection, settings).await? else {
        return Ok(Outcome::Busy);
    };
    let schema = previous(projection);
    let found = aside::exists(&schema, &mut session.db).await?;
    ensure!(found, "there is no schema {schema}");
    let (live, _) = books::live(projection, &mut session.db).await?;
    session
        .drop_schema(&schema, |generation| generation < live, "drop-previous")
        .await?;
    session.close().await?;
    show.say(projection, "the previous generation is dropped");
    Ok(Outcome::Done)
}

/// Drops a rebuild that did not end.
pub async fn abort(
    projection: &'static Definition,
    settings: &Settings,
    show: &mut Show,
) -> anyhow::Result<Outcome> {
    let Some(mut session) = Session::open(projection, settings).await? else {
        return Ok(Outcome::Busy);
    };
    let schema = session::next(projection);
    let begun = books::find(projection, &mut session.db).await?.is_some();
    if !begun && !aside::exists(&schema, &mut session.db).await? {
        bail!("no rebuild of {} is under way", projection.name());
    }
    let (live, _) = books::live(projection, &mut session.db).await?;
    session
        .drop_schema(&schema, |generation| generation > live, "abort")
        .await?;
    session.close().await?;
    show.say(projection, "the rebuild is gone");
    Ok(Outcome::Done)
}
