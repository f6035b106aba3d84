//! One sequence, from its first command to its last comparison.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use uuid::Uuid;

use super::{
    command::{Step, perform},
    state::State,
};
use crate::{
    client::Client,
    compare::{self, Scope},
    feed_copy::{FeedCopy, feed_of},
    kit::Target,
    link::LinkKind,
    log, token,
};

/// Page sizes: 1 puts every item at the seam between two pages, 3 and 20 cross the stored depth of a feed, and 100 is
/// the maximum.
const LIMITS: &[usize] = &[1, 3, 20, 100];

/// Accounts that follow their feeds.
const MAX_COPIES: usize = 6;

pub struct Run<'a> {
    pub(super) state: State<'a>,
    /// The first accounts follow their feeds with a stream, and are away now and then.
    copies: BTreeMap<Uuid, FeedCopy>,
    comparisons: usize,
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
            copies: BTreeMap::new(),
            comparisons: 0,
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
        let reads = compare::every_read(&target, client, &state.oracle, &scope).await?;
        let streams = self.compare_copies().await?;
        Ok(reads + streams)
    }

    /// Compares the feeds that clients have. A third of them goes away or comes back each time.
    async fn compare_copies(&mut self) -> Result<usize> {
        self.comparisons += 1;
        let state = &self.state;
        let followed = state.accounts.iter().take(MAX_COPIES).enumerate();
        for (index, account) in followed {
            let Some(copy) = self.copies.get_mut(account) else {
                let client = state.target.client_at(index);
                let client = client.with_token(&state.target.signer.token(*account));
                self.copies.insert(*account, FeedCopy::open(client).await?);
                continue;
            };
            let moves = (index + self.comparisons).is_multiple_of(3);
            if copy.is_away() && moves {
                copy.come_back().await?;
            }
            if copy.is_away() {
                continue;
            }
            let (feed, _) = state.oracle.feed(*account);
            let floor = log::feed_floor(&state.target.pool, *account).await?;
            let checked = copy.check(&feed_of(&feed), floor).await;
            checked.with_context(|| format!("the stream of {account}"))?;
            if moves && index.is_multiple_of(2) {
                copy.go_away();
            }
        }
        Ok(self.copies.len())
    }
}
