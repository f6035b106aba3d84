//! A cache of verified tokens: checking a signature costs more than answering a read from memory.

use std::{mem::size_of, sync::Arc};

use moka::{policy::EvictionPolicy, sync::Cache};

use super::verified_token::VerifiedToken;

/// In bytes: some 50,000 of the tokens that write-api signs.
const CAPACITY: u64 = 32 << 20;

/// The size of an entry without its token and its claims: an estimate of what moka adds.
const ENTRY_OVERHEAD: usize = size_of::<VerifiedToken>() + 250;

/// Verified tokens by their text. Refused tokens are not cached.
#[derive(Debug)]
pub(super) struct TokenCache(Cache<Arc<str>, Arc<VerifiedToken>>);

impl TokenCache {
    pub(super) fn new() -> Self {
        let cache = Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(|token: &Arc<str>, _| {
                u32::try_from(token.len() + ENTRY_OVERHEAD).unwrap_or(u32::MAX)
            })
            .eviction_policy(EvictionPolicy::tiny_lfu());
        Self(cache.build())
    }

    /// The cached token, which may have expired or have been verified with other keys: see
    /// [`VerifiedToken::is_valid`].
    pub(super) fn get(&self, token: &str) -> Option<Arc<VerifiedToken>> {
        self.0.get(token)
    }

    #[cfg(test)]
    pub(super) fn clear(&self) {
        self.0.invalidate_all();
    }

    pub(super) fn insert(&self, verified: Arc<VerifiedToken>) {
        self.0.insert(Arc::clone(&verified.token), verified);
    }
}
