//! The operations, as an operator chooses them.

use super::{
    abort, drop_previous,
    output::Output,
    rebuild, rollback,
    settings::{Outcome, Settings},
    verify,
};
use crate::projection::Definition;

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
                rebuild(projection, settings, accept_differences, output).await
            }
            Self::Verify => verify(projection, settings, output).await,
            Self::Rollback => rollback(projection, settings, output).await,
            Self::DropPrevious => drop_previous(projection, settings, output).await,
            Self::Abort => abort(projection, settings, output).await,
        }
    }
}
