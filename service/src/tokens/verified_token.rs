//! A token whose signature and claims were verified.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{
    identity::{Identity, LEEWAY_SECONDS},
    keys::KeySet,
    revocations::Revocations,
    unix_time,
};

/// A version of the revocations that none has.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct VerifiedToken {
    pub(super) token: Box<str>,
    pub(super) identity: Identity,
    /// The key set that verified it. The key that signed it may be missing in another one.
    pub(super) keys: Arc<KeySet>,
    /// The version of the revocations at which its session had not ended.
    checked: AtomicU64,
}

impl VerifiedToken {
    pub(super) fn new(token: &str, identity: Identity, keys: Arc<KeySet>) -> Self {
        Self {
            token: token.into(),
            identity,
            keys,
            checked: AtomicU64::new(NEVER),
        }
    }

    /// Whether the token may be accepted without verifying it again: it has not expired, and `keys` is the key set that
    /// verified it. An unchanged key set stays the same `Arc` when it is fetched again.
    pub(super) fn is_valid(&self, keys: &Arc<KeySet>) -> bool {
        let deadline = self.identity.expires.saturating_add(LEEWAY_SECONDS);
        unix_time::now() <= deadline && Arc::ptr_eq(&self.keys, keys)
    }

    /// Whether its session has ended. Costs two loads while no session ends, and a lookup after one has.
    pub(super) fn has_ended(&self, revocations: &Revocations) -> bool {
        let Some(session) = self.identity.session else {
            return false;
        };
        // Before the lookup: a session that ends meanwhile changes it.
        let version = revocations.version();
        if self.checked.load(Ordering::Relaxed) == version {
            return false;
        }
        let has_ended = revocations.contains(session);
        if !has_ended {
            self.checked.store(version, Ordering::Relaxed);
        }
        has_ended
    }
}
