//! A cache of verified tokens: checking a signature costs more than answering a read from memory.

use std::{mem::size_of, sync::Arc};

use foldhash::fast::RandomState;
use moka::sync::Cache;

use super::verified_token::VerifiedToken;
use crate::recent::{MOKA_ENTRY_BYTES, RecentEntries};

/// In bytes: some 50,000 of the tokens that write-api signs.
const CAPACITY: u64 = 32 << 20;

/// The size of an entry without the text of its token.
const ENTRY_OVERHEAD: usize = size_of::<VerifiedToken>() + MOKA_ENTRY_BYTES;

/// The end of a token, which is a part of its signature and so differs from token to token. Hashing it takes a fraction
/// of the time for the whole token.
type Key = [u8; 32];

/// The size of most entries.
const TYPICAL_BYTES: u64 = 650;

/// Verified tokens. Refused tokens are not cached.
#[derive(Debug)]
pub(super) struct TokenCache {
    tokens: Cache<Key, Arc<VerifiedToken>, RandomState>,
    recent: RecentEntries<Key, VerifiedToken>,
}

impl TokenCache {
    pub(super) fn new() -> Self {
        let cache =
            Cache::builder()
                .max_capacity(CAPACITY)
                .weigher(|_, verified: &Arc<VerifiedToken>| {
                    u32::try_from(verified.token.len() + ENTRY_OVERHEAD).unwrap_or(u32::MAX)
                });
        Self {
            tokens: cache.build_with_hasher(RandomState::default()),
            recent: RecentEntries::new((CAPACITY / TYPICAL_BYTES) as usize),
        }
    }

    /// The cached token, which may have expired or have been verified with other keys: see
    /// [`VerifiedToken::is_valid`].
    pub(super) fn get(&self, token: &str) -> Option<Arc<VerifiedToken>> {
        let key = key(token)?;
        let cached = self.recent.get(key).or_else(|| {
            let cached = self.tokens.get(key)?;
            self.recent.insert(key, &cached);
            Some(cached)
        })?;
        (*cached.token == *token).then_some(cached)
    }

    pub(super) fn insert(&self, verified: Arc<VerifiedToken>) {
        if let Some(key) = key(&verified.token) {
            self.recent.insert(key, &verified);
            self.tokens.insert(*key, verified);
        }
    }

    #[cfg(test)]
    pub(super) fn clear(&self) {
        self.tokens.invalidate_all();
        self.recent.clear();
    }
}

/// None for a token that is shorter than a signature.
fn key(token: &str) -> Option<&Key> {
    token.as_bytes().last_chunk()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            identity::Identity,
            keys::{KeySet, Trust},
        },
        *,
    };

    #[test]
    fn tokens_with_the_same_end_are_different() {
        let trust = Trust {
            issuer: String::new(),
            audience: String::new(),
            external: false,
        };
        let signature = "s".repeat(86);
        let (token, other) = (format!("a.b.{signature}"), format!("a.c.{signature}"));
        let cache = TokenCache::new();
        cache.insert(Arc::new(VerifiedToken {
            token: token.as_str().into(),
            identity: Identity {
                account: uuid::Uuid::nil(),
                handle_hint: None,
                name_hint: None,
                external: false,
                expires: 0,
            },
            keys: Arc::new(KeySet::new(&[], &trust)),
        }));
        assert!(cache.get(&token).is_some());
        for unknown in [&other, &token[1..], "", "a.b.c"] {
            assert!(cache.get(unknown).is_none(), "{unknown}");
        }
    }
}
