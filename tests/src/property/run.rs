//! One sequence, from its first command to its last comparison.

use anyhow::{Result, ensure};

use super::{
    command::{Step, perform},
    state::State,
};
use crate::{
    client::Client,
    compare::{self, Scope},
    kit::Target,
    link::LinkKind,
    log, token,
};

/// Page sizes: 1 puts every item at the seam between two pages, 3 and 20 cross the stored depth of a feed, and 100 is
/// the maximum.
const LIMITS: &[usize] = &[1, 3, 20, 100];

pub struct Run<'a> {
    pub(super) state: State<'a>,
}

impl<'a> Run<'a> {
    /// Runs all steps. Returns the number of reads that were compared.
    pub async fn whole(target: &'a Target, steps: &[Step]) -> Result<usize> {
        let mut run = Run::new(target);
        let mut reads = 0;
        for (index, step) in steps.iter().enumerate() {
            match step {
                Step::Compare => reads += run.compare(&run.state.client.clone(), 0).await?,
                Step::Act(_) => run.act(index, *step).await?,
            }
        }
        Ok(reads)
    }

    pub(super) fn new(target: &'a Target) -> Self {
        Self {
            state: State::new(target),
        }
    }

    pub(super) async fn act(&mut self, index: usize, step: Step) -> Result<()> {
        self.state.step = index;
        let Step::Act(action) = step else {
            return Ok(());
        };
        let done = perform(&mut self.state, action).await;
        done.map_err(|error| error.context(format!("step {index}: {action:?}")))
    }

    /// Waits for the positions of `client`. The first account reads from the read-api with index `first`.
    pub(super) async fn compare(&mut self, client: &Client, first: usize) -> Result<usize> {
        let state = &mut self.state;
        if state.accounts.is_empty() {
            return Ok(0);
        }
        for kind in LinkKind::ALL {
            let links = log::links(&state.target.pool, kind, Some(&state.accounts)).await?;
            let pairs = |(from, to, _): (_, _, i64)| (from, to);
            let mut expected: Vec<_> = state.oracle.links(kind).map(pairs).collect();
            expected.sort_unstable();
            let actual: Vec<_> = links.iter().copied().map(pairs).collect();
            ensure!(
                expected == actual,
                "the state has these links of kind {kind:?}: {actual:?}, the oracle {expected:?}"
            );
            state.oracle.set_link_times(kind, &links);
        }
        let connections = log::connections(&state.target.pool, Some(&state.accounts)).await?;
        state.oracle.connections.set_times(&connections);
        ensure!(
            state.oracle.connections.rows() == connections,
            "the state has these connections: {connections:?}, the oracle {:?}",
            state.oracle.connections.rows()
        );
        let blocks = log::blocks(&state.target.pool, Some(&state.accounts)).await?;
        state.oracle.blocks.set_times(blocks.iter().copied());
        let expected: Vec<_> = state.oracle.blocks.iter().collect();
        ensure!(
            blocks == expected,
            "the state has these blocks: {blocks:?}, the oracle {expected:?}"
        );
        let members = log::tag_members(&state.target.pool, Some(&state.accounts)).await?;
        state.oracle.tags.set_times(members);
        let edits = log::edit_times(&state.target.pool).await?;
        state.oracle.set_edit_times(&edits);
        let today = token::now().date_naive();
        let scope = Scope {
            viewers: &state.accounts,
            limits: LIMITS,
            days: &[today, today - chrono::Days::new(1)],
            sample: usize::MAX,
        };
        let mut target = state.target.clone();
        target.read.rotate_left(first);
        compare::every_read(&target, client, &state.oracle, &scope).await
    }
}
