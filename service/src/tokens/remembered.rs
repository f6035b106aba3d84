//! Tokens that were verified before: checking a signature costs more than answering a read from memory.

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use quick_cache::{Weighter, sync::Cache};

use super::{Identity, LEEWAY_SECONDS, verifier::KeySet};

/// In bytes: so many of the tokens that write-api signs, about.
const CAPACITY: u64 = 32 << 20;
const TOKENS: usize = 50_000;

/// What an entry takes beside its token, about.
const OVERHEAD: u64 = 300;

/// Whom verified tokens name, until they expire or the keys change. What was refused is not kept.
pub(super) struct Remembered(Cache<Box<str>, Known, Bytes>);

#[derive(Clone)]
struct Known {
    identity: Identity,
    /// With the keys of then.
    keys: Arc<KeySet>,
}

impl Remembered {
    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(TOKENS, CAPACITY, Bytes))
    }

    /// None for a token that is new, has expired, or was verified with other keys than `keys`: whoever asks
    /// finds out what is wrong with it.
    pub(super) fn find(&self, token: &str, keys: &Arc<KeySet>) -> Option<Identity> {
        let known = self.0.get(token)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let expires = known.identity.expires;
        let good = now <= expires.saturating_add(LEEWAY_SECONDS) && Arc::ptr_eq(&known.keys, keys);
        good.then_some(known.identity)
    }

    pub(super) fn keep(&self, token: &str, identity: &Identity, keys: &Arc<KeySet>) {
        let known = Known {
            identity: identity.clone(),
            keys: Arc::clone(keys),
        };
        self.0.insert(token.into(), known);
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Box<str>, Known> for Bytes {
    fn weight(&self, token: &Box<str>, _: &Known) -> u64 {
        token.len() as u64 + OVERHEAD
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered")
    }
}
