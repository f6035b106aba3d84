//! What a run of a sequence knows.

use anyhow::{Result, ensure};
use uuid::Uuid;

use super::random::Pick;
use crate::{
    client::{Answer, Client},
    kit::Target,
    oracle::Oracle,
};

pub struct State<'a> {
    pub target: &'a Target,
    pub client: Client,
    pub oracle: Oracle,
    /// Of every handle: the target has accounts of other runs.
    pub prefix: String,
    /// Ids of everything that was ever created, in order.
    pub accounts: Vec<Uuid>,
    pub posts: Vec<Uuid>,
    pub conversations: Vec<Uuid>,
    pub messages: Vec<Uuid>,
    pub tags: Vec<Uuid>,
    /// The number of the present step.
    pub step: usize,
}

impl<'a> State<'a> {
    pub fn new(target: &'a Target) -> Self {
        Self {
            target,
            client: target.client(),
            oracle: Oracle::default(),
            prefix: format!("p{:08x}", rand::random::<u32>()),
            accounts: Vec::new(),
            posts: Vec::new(),
            conversations: Vec::new(),
            messages: Vec::new(),
            tags: Vec::new(),
            step: 0,
        }
    }

    /// A client of this account. The instances of write-api take turns.
    pub fn client_of(&self, account: Uuid) -> Client {
        let write = &self.target.write[self.step % self.target.write.len()];
        self.client
            .with_write(write)
            .with_token(&self.target.signer.token(account))
    }

    pub fn account(&self, pick: Pick) -> Option<Uuid> {
        choose(&self.accounts, pick)
    }

    pub fn post(&self, pick: Pick) -> Option<Uuid> {
        choose(&self.posts, pick)
    }
}

/// The picked one, unless there are none.
pub fn choose<T: Copy>(from: &[T], pick: Pick) -> Option<T> {
    (!from.is_empty()).then(|| from[pick % from.len()])
}

pub fn expect_status(answer: &Answer, status: u16) -> Result<()> {
    ensure!(answer.status == status, "{answer:?} instead of {status}");
    Ok(())
}

/// The id in an answer that must have this status.
pub fn created_id(answer: &Answer, status: u16) -> Result<Uuid> {
    expect_status(answer, status)?;
    ensure!(
        answer.header("feedmill-position").is_some() || status == 200,
        "no position: {answer:?}"
    );
    Ok(answer.id())
}
