//! What all clients together have made, as far as they were told.

use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::{property::Pick, torture::wish::Wish};

#[derive(Debug, Default)]
pub struct Made {
    pub accounts: Vec<Uuid>,
    pub handles: Vec<String>,
    /// Author and post; some may have been deleted.
    pub posts: Vec<(Uuid, Uuid)>,
    /// With their members.
    pub conversations: Vec<(Uuid, Vec<Uuid>)>,
    /// Conversation and message.
    pub messages: Vec<(Uuid, Uuid)>,
}

impl Made {
    /// Notes what an acknowledged command has made, if it has made anything.
    pub fn note(&mut self, who: Uuid, wish: &Wish, id: Option<Uuid>) {
        let Some(id) = id else { return };
        match wish {
            Wish::Account { handle } => {
                self.accounts.push(id);
                self.handles.push(handle.clone());
            }
            Wish::Post { .. } => self.posts.push((who, id)),
            Wish::Conversation { with, .. } => {
                let members = with.iter().copied().chain([who]).collect();
                if self.conversations.iter().all(|(known, _)| *known != id) {
                    self.conversations.push((id, members));
                }
            }
            Wish::Message { conversation, .. } => self.messages.push((*conversation, id)),
            _ => {}
        }
    }
}

#[derive(Debug, Default)]
pub struct Known(Mutex<Made>);

impl Known {
    pub fn lock(&self) -> MutexGuard<'_, Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The n-th, counted round, of those that fit.
pub fn pick<T: Clone>(from: &[T], index: Pick, fits: impl Fn(&T) -> bool) -> Option<T> {
    let fitting: Vec<_> = from.iter().filter(|one| fits(one)).collect();
    fitting
        .get(index.checked_rem(fitting.len())?)
        .map(|one| (*one).clone())
}
