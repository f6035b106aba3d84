//! What all clients together have created, as far as they were told.

use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::{property::Pick, torture::operation::Operation};

#[derive(Debug, Default)]
pub struct Created {
    pub accounts: Vec<Uuid>,
    pub handles: Vec<String>,
    /// Author and post; some may have been deleted.
    pub posts: Vec<(Uuid, Uuid)>,
    /// Blocker and blocked.
    pub blocks: Vec<(Uuid, Uuid)>,
    /// With their members; some may have left.
    pub conversations: Vec<(Uuid, Vec<Uuid>)>,
    /// Conversation, message and sender; some may have been deleted.
    pub messages: Vec<(Uuid, Uuid, Uuid)>,
}

impl Created {
    /// Adds what an acknowledged operation has created, if anything.
    pub fn add(&mut self, account: Uuid, operation: &Operation, id: Option<Uuid>) {
        if let Operation::AddMember {
            conversation,
            account,
        } = operation
        {
            let mut conversations = self.conversations.iter_mut();
            let found = conversations.find(|(known, _)| known == conversation);
            if let Some((_, members)) = found.filter(|(_, members)| !members.contains(account)) {
                members.push(*account);
            }
        }
        if let Operation::Block { other, block } = operation {
            self.blocks.retain(|known| *known != (account, *other));
            self.blocks.extend(block.then_some((account, *other)));
        }
        let Some(id) = id else { return };
        match operation {
            Operation::CreateAccount { handle } => {
                self.accounts.push(id);
                self.handles.push(handle.clone());
            }
            Operation::Post { .. } => self.posts.push((account, id)),
            Operation::CreateConversation { with, .. } => {
                let members = with.iter().copied().chain([account]).collect();
                if self.conversations.iter().all(|(known, _)| *known != id) {
                    self.conversations.push((id, members));
                }
            }
            Operation::SendMessage { conversation, .. } => {
                self.messages.push((*conversation, id, account));
            }
            _ => {}
        }
    }
}

#[derive(Debug, Default)]
pub struct Shared(Mutex<Created>);

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, Created> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The picked one of those that match.
pub fn pick<T: Clone>(from: &[T], index: Pick, matches: impl Fn(&T) -> bool) -> Option<T> {
    let matching: Vec<_> = from.iter().filter(|one| matches(one)).collect();
    matching
        .get(index.checked_rem(matching.len())?)
        .map(|one| (*one).clone())
}
