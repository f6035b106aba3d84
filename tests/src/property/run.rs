//! One sequence, step by step: what the model expects of each command, and what the stack answered.

mod cached;
mod step;

use anyhow::{Result, ensure};
use uuid::Uuid;

pub use self::cached::Cached;
use super::action::{Action, Pick};
use crate::{
    client::Client,
    compare::{self, Scope},
    harness::Stack,
    log,
    model::Model,
    token,
};

/// 1 so that every item is at a seam, 3 and 20 across the materialised depth, 100 as the most there may be.
const LIMITS: &[usize] = &[1, 3, 20, 100];

pub struct Run<'a> {
    stack: &'a Stack,
    client: Client,
    model: Model,
    /// Before every handle: the stack has accounts of other runs.
    prefix: String,
    /// All that were ever made, in order.
    accounts: Vec<Uuid>,
    posts: Vec<Uuid>,
    conversations: Vec<Uuid>,
    messages: Vec<Uuid>,
    steps: usize,
}

/// The pick, unless there is nothing to pick from.
fn pick<T: Copy>(from: &[T], index: Pick) -> Option<T> {
    (!from.is_empty()).then(|| from[index % from.len()])
}

impl<'a> Run<'a> {
    /// Runs all of it; returns how many reads were compared.
    pub async fn whole(stack: &'a Stack, actions: &[Action]) -> Result<usize> {
        let mut run = Run::new(stack);
        let mut reads = 0;
        for (index, action) in actions.iter().enumerate() {
            run.steps = index;
            if *action == Action::Compare {
                reads += run.compare(&run.client.clone(), 0).await?;
            } else {
                run.step(*action)
                    .await
                    .map_err(|error| error.context(format!("command {index}: {action:?}")))?;
            }
        }
        Ok(reads)
    }

    fn new(stack: &'a Stack) -> Self {
        Self {
            stack,
            client: stack.client(),
            model: Model::default(),
            prefix: format!("p{:08x}", rand::random::<u32>()),
            accounts: Vec::new(),
            posts: Vec::new(),
            conversations: Vec::new(),
            messages: Vec::new(),
            steps: 0,
        }
    }

    /// With whatever position `client` has; the first account reads at the read-api of index `first`.
    async fn compare(&mut self, client: &Client, first: usize) -> Result<usize> {
        if self.accounts.is_empty() {
            return Ok(0);
        }
        let (likes, follows) = log::links(&self.stack.pool, Some(&self.accounts)).await?;
        ensure!(
            likes.keys().eq(self.model.likes.keys()),
            "write.likes: {likes:?}, model: {:?}",
            self.model.likes
        );
        ensure!(
            follows.keys().eq(self.model.follows.keys()),
            "write.follows: {follows:?}, model: {:?}",
            self.model.follows
        );
        (self.model.likes, self.model.follows) = (likes, follows);
        let today = token::now().date_naive();
        let days = [today, today - chrono::Days::new(1)];
        let scope = Scope {
            viewers: &self.accounts,
            limits: LIMITS,
            days: &days,
            sample: usize::MAX,
        };
        let mut stack = self.stack.clone();
        stack.read.rotate_left(first);
        compare::every_read(&stack, client, &self.model, &scope).await
    }

    /// A client that is this account, at any of the write-apis.
    fn client_of(&self, account: Uuid) -> Client {
        let write = &self.stack.write[self.steps % self.stack.write.len()];
        self.client
            .with_write(write)
            .with_token(&self.stack.signer.token(account))
    }

    fn account(&mut self, id: Uuid) -> &mut crate::model::Account {
        self.model
            .accounts
            .get_mut(&id)
            .expect("an account of this run")
    }

    fn posts_of(&self, who: Uuid, own: bool) -> Vec<Uuid> {
        let mine = |post: &Uuid| {
            !own || self
                .model
                .posts
                .get(post)
                .is_some_and(|post| post.author == who)
        };
        self.posts.iter().copied().filter(mine).collect()
    }

    fn is_member(&self, who: Uuid, conversation: Uuid) -> bool {
        self.model.conversations[&conversation]
            .members
            .contains_key(&who)
    }

    fn conversations_of(&self, who: Uuid, own: bool) -> Vec<Uuid> {
        self.conversations
            .iter()
            .copied()
            .filter(|id| !own || self.is_member(who, *id))
            .collect()
    }
}
