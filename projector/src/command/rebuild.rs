//! `projector rebuild`, `verify`, `rollback`, `drop-previous` and `abort`

mod operation;

use std::process::ExitCode;

pub use self::operation::Operation;
use crate::{
    audit,
    config::Config,
    projection::{self, Definition},
    rebuild::{Outcome, Settings, output::Output},
};

/// Part of `--help`.
pub const EXIT_CODES: &str = "Exit codes: 0 success, 1 failure, 2 invalid command line, \
    3 the tables differ and nothing was changed, 4 another rebuild, verification or rollback of the \
    projection is running";
const DIFFERS: u8 = 3;
const BUSY: u8 = 4;

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct RebuildArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    options: Options,
    /// Cut over although the rebuilt tables differ from the live ones: to repair damage, or after a change of the logic
    #[arg(long)]
    accept_differences: bool,
}

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct VerifyArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct OneArgs {
    /// The projection
    #[arg(value_parser = projection::by_name)]
    name: &'static Definition,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
struct Selection {
    /// The projections
    #[arg(value_parser = projection::by_name)]
    names: Vec<&'static Definition>,
    /// All projections, one after the other
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, clap::Args)]
struct Options {
    /// Pause the replay while the live model is more than this many events behind the log
    #[arg(long, default_value_t = Settings::DEFAULT_MAX_LIVE_LAG, value_parser = clap::value_parser!(i64).range(0..))]
    max_live_lag: i64,
    /// Also apply the events that were skipped with `skip`
    #[arg(long)]
    with_skipped: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Who, for the audit log and `status`
    #[arg(long, env = "USER", default_value_t = audit::os_user())]
    by: String,
}

impl Options {
    fn settings(&self, config: &Config) -> Settings {
        Settings {
            url: config.database_url.clone(),
            nats: config.nats.clone(),
            context: config.context(),
            max_live_lag: self.max_live_lag,
            with_skipped: self.with_skipped,
            by: self.by.clone(),
        }
    }
}

impl Selection {
    fn projections(&self) -> Vec<&'static Definition> {
        if self.all {
            projection::ALL.to_vec()
        } else {
            self.names.clone()
        }
    }
}

pub async fn rebuild(args: &RebuildArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let accept_differences = args.accept_differences;
    let operation = Operation::Rebuild { accept_differences };
    run(
        operation,
        &args.selection.projections(),
        &args.options,
        config,
    )
    .await
}

pub async fn verify(args: &VerifyArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let projections = args.selection.projections();
    run(Operation::Verify, &projections, &args.options, config).await
}

/// An operation on one projection, by its arguments.
pub async fn one(
    operation: Operation,
    args: &OneArgs,
    config: &Config,
) -> anyhow::Result<ExitCode> {
    run(operation, &[args.name], &args.options, config).await
}

/// Runs an operation for each projection. A projection that differs does not stop the ones after it. The exit code is that
/// of the worst outcome.
async fn run(
    operation: Operation,
    projections: &[&'static Definition],
    options: &Options,
    config: &Config,
) -> anyhow::Result<ExitCode> {
    let (settings, mut output) = (options.settings(config), Output::new(options.json));
    let mut worst = Outcome::Done;
    for projection in projections {
        output.start();
        let outcome = operation.run(projection, &settings, &mut output).await?;
        if outcome == Outcome::Busy {
            eprintln!(
                "another rebuild, verification or rollback of {} is running",
                projection.name()
            );
        }
        worst = worst.max(outcome);
    }
    Ok(match worst {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Differs => ExitCode::from(DIFFERS),
        Outcome::Busy => ExitCode::from(BUSY),
    })
}
