//! What all clients together have made, as far as they were told.

use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::property::Pick;

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
