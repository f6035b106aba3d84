//! A cache of verified tokens: checking a signature costs more than answering a read from memory.

use std::{mem::size_of, sync::Arc};

use super::verified_token::VerifiedToken;
use crate::bounded_cache::{BoundedCache, MOKA_ENTRY_BYTES};

/// In bytes: some 45,000 of the tokens that write-api signs.
const MAX_BYTES: u64 = 32 << 20;

/// Twice the size of an entry.
const BYTES_PER_BUCKET: u64 = 1_300;

/// The size of an entry without the text of its token.
const ENTRY_OVERHEAD: usize = size_of::<VerifiedToken>() + MOKA_ENTRY_BYTES;

/// The end of a token, which is a part of its signature and so differs from token to token. Hashing it takes a fraction
/// of the time for the whole token.
type Key = [u8; 32];

/// Verified tokens. Refused tokens are not cached.
#[derive(Debug)]
pub(super) struct TokenCache(BoundedCache<Key, VerifiedToken>);

impl TokenCache {
    pub(super) fn new() -> Self {
        let weigh = |_: &Key, verified: &VerifiedToken| verified.token.len() + ENTRY_OVERHEAD;
        Self(BoundedCache::new(MAX_BYTES, BYTES_PER_BUCKET, weigh, None))
    }

    /// The cached token, which may have expired or have been verified with other keys: see
    /// [`VerifiedToken::is_valid`].
    pub(super) fn get(&self, token: &str) -> Option<Arc<VerifiedToken>> {
        let cached = self.0.get(key(token)?)?;
        (*cached.token == *token).then_some(cached)
    }

    pub(super) fn insert(&self, verified: &Arc<VerifiedToken>) {
        if let Some(key) = key(&verified.token) {
            self.0.insert(*key, verified);
        }
    }

    #[cfg(test)]
    pub(super) fn clear(&self) {
        self.0.clear();
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
        let identity = Identity {
            account: uuid::Uuid::nil(),
            session: None,
            handle_hint: None,
            name_hint: None,
            external: false,
            expires: 0,
        };
        let keys = Arc::new(KeySet::new(&[], &trust));
        cache.insert(&Arc::new(VerifiedToken::new(&token, identity, keys)));
        assert!(cache.get(&token).is_some());
        for unknown in [&other, &token[1..], "", "a.b.c"] {
            assert!(cache.get(unknown).is_none(), "{unknown}");
        }
    }
}
