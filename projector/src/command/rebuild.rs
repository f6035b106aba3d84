//! `projector rebuild`, `verify`, `rollback`, `drop-previous` and `abort`

use std::process::ExitCode;

use crate::{
    Config,
    projection::{self, Definition},
    rebuild::{self, Outcome, Settings, show::Show},
};

/// What `--help` says about exit codes.
pub const EXIT_CODES: &str = "Exit codes: 0 done, 1 something failed, 2 the command line is wrong, \
    3 the tables differ and nothing was changed, 4 another rebuild, verification or rollback of the \
    projection is at work";
const DIFFERS: u8 = 3;
const BUSY: u8 = 4;

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct RebuildArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
    /// Go live although the new tables differ from the live ones: to mend damage, or when the logic has changed
    #[arg(long)]
    accept_differences: bool,
}

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct VerifyArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct OneArgs {
    /// The projection
    #[arg(value_parser = projection::named)]
    name: &'static Definition,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The projections
    #[arg(value_parser = projection::named)]
    names: Vec<&'static Definition>,
    /// All projections, one after the other
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, clap::Args)]
struct How {
    /// Wait while the live model is further behind the log than so many events
    #[arg(long, default_value = "5000", value_parser = clap::value_parser!(i64).range(0..))]
    max_live_lag: i64,
    /// Also apply the events that `skip` passed over
    #[arg(long)]
    with_skipped: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Who: it is kept for the audit
    #[arg(long, env = "USER", default_value = "unknown")]
    by: String,
}

impl How {
    fn settings(&self, config: &Config) -> Settings {
        Settings {
            url: config.database_url.clone(),
            nats_url: config.nats.nats_url.clone(),
            context: config.context(),
            max_live_lag: self.max_live_lag,
            with_skipped: self.with_skipped,
            by: self.by.clone(),
        }
    }
}

impl Which {
    fn projections(&self) -> Vec<&'static Definition> {
        if self.all {
            projection::ALL.to_vec()
        } else {
            self.names.clone()
        }
    }
}

/// The worst of them tells how it ended; those after one that differs are rebuilt all the same.
pub async fn rebuild(args: &RebuildArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let (settings, mut show) = (args.how.settings(config), Show::new(args.how.json));
    let mut outcome = Outcome::Done;
    for projection in args.which.projections() {
        show.start();
        let accept = args.accept_differences;
        let ended = rebuild::rebuild(projection, &settings, accept, &mut show).await?;
        outcome = outcome.max(said(projection, ended));
    }
    Ok(code(outcome))
}

pub async fn verify(args: &VerifyArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let (settings, mut show) = (args.how.settings(config), Show::new(args.how.json));
    let mut outcome = Outcome::Done;
    for projection in args.which.projections() {
        show.start();
        let ended = rebuild::verify(projection, &settings, &mut show).await?;
        outcome = outcome.max(said(projection, ended));
    }
    Ok(code(outcome))
}

pub async fn rollback(args: &OneArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let (settings, mut show) = (args.how.settings(config), Show::new(args.how.json));
    let ended = rebuild::rollback(args.name, &settings, &mut show).await?;
    Ok(code(said(args.name, ended)))
}

pub async fn drop_previous(args: &OneArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let (settings, mut show) = (args.how.settings(config), Show::new(args.how.json));
    let ended = rebuild::drop_previous(args.name, &settings, &mut show).await?;
    Ok(code(said(args.name, ended)))
}

pub async fn abort(args: &OneArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let (settings, mut show) = (args.how.settings(config), Show::new(args.how.json));
    let ended = rebuild::abort(args.name, &settings, &mut show).await?;
    Ok(code(said(args.name, ended)))
}

fn said(projection: &Definition, outcome: Outcome) -> Outcome {
    if outcome == Outcome::Busy {
        eprintln!(
            "another rebuild, verification or rollback of {} is at work",
            projection.name()
        );
    }
    outcome
}

fn code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Differs => ExitCode::from(DIFFERS),
        Outcome::Busy => ExitCode::from(BUSY),
    }
}
