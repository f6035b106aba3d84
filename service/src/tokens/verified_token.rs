//! A token whose signature and claims were verified.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    identity::{Identity, LEEWAY_SECONDS},
    keys::KeySet,
};

#[derive(Debug)]
pub(super) struct VerifiedToken {
    pub(super) token: Box<str>,
    pub(super) identity: Identity,
    /// The key set that verified it. The key that signed it may be missing in another one.
    pub(super) keys: Arc<KeySet>,
}

impl VerifiedToken {
    /// Whether the token may be accepted without verifying it again: it has not expired, and `keys` is the key set that
    /// verified it. An unchanged key set stays the same `Arc` when it is fetched again.
    pub(super) fn is_valid(&self, keys: &Arc<KeySet>) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let deadline = self.identity.expires.saturating_add(LEEWAY_SECONDS);
        now.is_ok_and(|now| now.as_secs() <= deadline) && Arc::ptr_eq(&self.keys, keys)
    }
}
