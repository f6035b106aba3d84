//! The operations, as an operator chooses them.

use crate::{
    projection::Definition,
    rebuild::{self, Outcome, Settings, output::Output},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Rebuild {
        /// Cut over although the rebuilt tables differ from the live ones.
        accept_differences: bool,
    },
    Verify,
    Rollback,
    DropPrevious,
    Abort,
}

impl Operation {
    /// The subcommand.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rebuild { .. } => "rebuild",
            Self::Verify => "verify",
            Self::Rollback => "rollback",
            Self::DropPrevious => "drop-previous",
            Self::Abort => "abort",
        }
    }

    pub async fn run(
        self,
        projection: &'static Definition,
        settings: &Settings,
        output: &mut Output,
    ) -> anyhow::Result<Outcome> {
        match self {
            Self::Rebuild { accept_differences } => {
                rebuild::rebuild(projection, settings, accept_differences, output).await
            }
            Self::Verify => rebuild::verify(projection, settings, output).await,
            Self::Rollback => rebuild::rollback(projection, settings, output).await,
            Self::DropPrevious => rebuild::drop_previous(projection, settings, output).await,
            Self::Abort => rebuild::abort(projection, settings, output).await,
        }
    }
}
