//! Random commands, against a stack and the model at once.

mod action;
mod run;

use std::fmt;

pub use action::{Action, Pick, any, generate};

use crate::harness::Stack;
use run::Run;

pub use run::Cached;

/// Seeds that once found a defect, with the number of commands that it took.
pub const REGRESSIONS: &[(u64, usize)] = &[];

/// A sequence after which a read was not what its definition says, or a command answered otherwise than the
/// model.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub message: String,
    /// As few as a short search found.
    pub actions: Vec<Action>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: after {} commands:",
            self.seed,
            self.actions.len()
        )?;
        for action in &self.actions {
            writeln!(f, "    {action:?}")?;
        }
        writeln!(f, "{}", self.message)
    }
}

/// Runs the sequence of a seed, among new accounts of its own, and compares every read. Returns the number
/// of reads; a sequence that fails is cut down first.
pub async fn check(stack: &Stack, seed: u64, commands: usize) -> Result<usize, Box<Failure>> {
    let actions = generate(seed, commands);
    match Run::whole(stack, &actions).await {
        Ok(reads) => Ok(reads),
        Err(message) => Err(Box::new(
            shrink(stack, seed, actions, message.to_string()).await,
        )),
    }
}

/// The same while others read from memory: every comparison is made at every instance of read-api. What fails is
/// not cut down, since it depends on time.
pub async fn check_cached(
    stack: &Stack,
    seed: u64,
    commands: usize,
) -> Result<Cached, Box<Failure>> {
    let actions = generate(seed, commands);
    let done = Run::cached(stack, &actions).await;
    done.map_err(|error| {
        Box::new(Failure {
            seed,
            message: error.to_string(),
            actions,
        })
    })
}

/// Leaves out pieces, from large to small, for as long as what is left still fails.
async fn shrink(
    stack: &Stack,
    seed: u64,
    mut actions: Vec<Action>,
    mut message: String,
) -> Failure {
    let mut attempts = 60;
    let mut size = actions.len() / 2;
    while size > 0 && attempts > 0 {
        let mut from = 0;
        while from < actions.len() && attempts > 0 {
            attempts -= 1;
            let to = (from + size).min(actions.len());
            let fewer = [&actions[..from], &actions[to..]].concat();
            match Run::whole(stack, &fewer).await {
                Ok(_) => from = to,
                Err(error) => (actions, message) = (fewer, error.to_string()),
            }
        }
        size /= 2;
    }
    Failure {
        seed,
        message,
        actions,
    }
}
