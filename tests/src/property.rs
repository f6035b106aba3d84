//! Random commands, against a running Feedmill and the oracle at once.
//!
//! One file for each noun has its commands: what they are, how often and with which arguments they are generated, and
//! what they do.
//!
//! - `random`: how commands are generated.
//! - `access`: which acts are refused because of audiences and blocks; `audiences`: those of posts.
//! - `accounts`, `posts`, `links`, `connections`, `blocks`, `tags`, `feed`, `conversations`, `notifications`: the commands.
//! - `command`: all of them, and sequences of them.
//! - `state`: what a run knows: the oracle, and the ids that it has created.
//! - `run`: one sequence from its first command to its last comparison; `cached`: the same while others read.

mod access;
mod accounts;
mod audiences;
mod blocks;
mod cached;
mod command;
mod connections;
mod conversations;
mod feed;
mod links;
mod notifications;
mod posts;
mod random;
mod run;
mod state;
mod tags;

use std::fmt;

use crate::kit::Target;
use run::Run;

pub use accounts::AccountCommand;
pub use audiences::AudienceChoice;
pub use blocks::BlockCommand;
pub use cached::CachedReads;
pub use command::{Action, Command, Generator, Step, sequence};
pub use connections::ConnectionCommand;
pub use conversations::ConversationCommand;
pub use feed::FeedCommand;
pub use links::LinkCommand;
pub use notifications::NotificationCommand;
pub use posts::PostCommand;
pub use random::Pick;
pub use tags::TagCommand;

/// Seeds that once found a defect, with the length of the sequence.
pub const REGRESSIONS: &[(u64, usize)] = &[];

/// A sequence after which a read was not equal to its definition, or in which the answer to a command was not the
/// oracle's.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub message: String,
    /// As few as a short search found.
    pub steps: Vec<Step>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: after {} steps:", self.seed, self.steps.len())?;
        for step in &self.steps {
            writeln!(f, "    {step:?}")?;
        }
        writeln!(f, "{}", self.message)
    }
}

/// Runs the sequence of a seed among accounts of its own and compares every read. Returns the number of reads. A
/// sequence that fails is shrunk.
pub async fn check(target: &Target, seed: u64, length: usize) -> Result<usize, Box<Failure>> {
    let steps = sequence(seed, length);
    match Run::whole(target, &steps).await {
        Ok(reads) => Ok(reads),
        Err(message) => Err(Box::new(
            shrink(target, seed, steps, format!("{message:#}")).await,
        )),
    }
}

/// The same while clients read from the cache all the time: every comparison is made with every instance of read-api.
/// A sequence that fails is not shrunk, since the failure depends on time.
pub async fn check_cached(
    target: &Target,
    seed: u64,
    length: usize,
) -> Result<CachedReads, Box<Failure>> {
    let steps = sequence(seed, length);
    let done = Run::cached(target, &steps).await;
    done.map_err(|error| {
        Box::new(Failure {
            seed,
            message: format!("{error:#}"),
            steps,
        })
    })
}

/// Runs that a shrink may take.
const MAX_SHRINK_RUNS: usize = 60;

/// Leaves out pieces, from large to small, as long as the rest still fails.
async fn shrink(target: &Target, seed: u64, mut steps: Vec<Step>, mut message: String) -> Failure {
    let mut runs = MAX_SHRINK_RUNS;
    let mut size = steps.len() / 2;
    while size > 0 && runs > 0 {
        let mut from = 0;
        while from < steps.len() && runs > 0 {
            runs -= 1;
            let to = (from + size).min(steps.len());
            let fewer = [&steps[..from], &steps[to..]].concat();
            match Run::whole(target, &fewer).await {
                Ok(_) => from = to,
                Err(error) => (steps, message) = (fewer, format!("{error:#}")),
            }
        }
        size /= 2;
    }
    Failure {
        seed,
        message,
        steps,
    }
}
