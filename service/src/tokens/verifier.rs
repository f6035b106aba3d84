//! Verifying tokens.

use std::sync::{Arc, PoisonError, RwLock};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{decode, decode_header, errors::ErrorKind, jwk::JwkSet};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    cache::TokenCache,
    connection_token::ConnectionToken,
    error::TokenError,
    identity::{Identity, MAX_SUBJECT_BYTES, external_account},
    jwks::{self, KeySource},
    keys::{KeySet, Trust},
    revocations::Revocations,
    signer::Signer,
    verified_token::VerifiedToken,
};
use crate::{health::Health, shutdown::Shutdown};

/// A longer token is refused unread.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Verifies tokens and caches those that are valid. Cheap to clone; clones share keys and cache.
#[derive(Debug, Clone)]
pub struct Verifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    trust: Trust,
    keys: RwLock<Option<Arc<KeySet>>>,
    cache: TokenCache,
    revocations: Revocations,
    source: Option<KeySource>,
}

#[derive(Deserialize)]
struct Claims {
    // Missing claims are refused by the validation, with a better message than serde's.
    #[serde(default)]
    iss: String,
    #[serde(default)]
    sub: String,
    /// Any number. The validation checks it.
    #[serde(default)]
    exp: Value,
    /// Any value: an external identity provider means by it what it likes.
    #[serde(default)]
    sid: Value,
    preferred_username: Option<String>,
    name: Option<String>,
}

impl Verifier {
    /// Accepts the tokens of `signer`.
    pub fn of(signer: &Signer) -> Self {
        let trust = Trust {
            issuer: signer.issuer().to_owned(),
            audience: signer.audience().to_owned(),
            external: false,
        };
        let keys = KeySet::new(std::slice::from_ref(signer.jwk()), &trust);
        Self(Arc::new(Inner {
            trust,
            keys: RwLock::new(Some(Arc::new(keys))),
            cache: TokenCache::new(),
            revocations: Revocations::default(),
            source: None,
        }))
    }

    /// Accepts tokens that are signed with a key of a JSON Web Key Set. The set is fetched in the background: until the
    /// first success (until then, the part `token_keys` of `health` is not ready), then every five minutes, and at once
    /// for an unknown key, but not more often than every 10 s. Keys that were removed from the set are no longer
    /// accepted. Needs a tokio runtime. Errors: an invalid URL.
    pub fn from_jwks(
        url: &str,
        trust: Trust,
        health: &Health,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Self> {
        let source = Some(KeySource::new(url)?);
        let verifier = Self(Arc::new(Inner {
            trust,
            keys: RwLock::default(),
            cache: TokenCache::new(),
            revocations: Revocations::default(),
            source,
        }));
        let refreshed = verifier.clone();
        let (health, stop) = (health.clone(), shutdown.soft.clone());
        jwks::set_not_ready(&health, "not fetched yet");
        tokio::spawn(async move {
            stop.run_until_cancelled(refreshed.keep_keys_fresh(&health))
                .await;
        });
        Ok(verifier)
    }

    /// The sessions whose tokens it refuses, none at first.
    pub fn revocations(&self) -> &Revocations {
        &self.0.revocations
    }

    /// The identity that a token names. Costs the check of a signature, or less than a microsecond if the token is
    /// cached. A token with an unknown key may wait until the key set is fetched.
    pub async fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        Ok(self.admitted(token).await?.identity.clone())
    }

    /// Like [`Self::verify`], and faster for the token that was last verified on this connection.
    pub async fn verify_on(
        &self,
        connection: &ConnectionToken,
        token: &str,
    ) -> Result<Identity, TokenError> {
        let revocations = &self.0.revocations;
        if let Some(identity) = self.with_keys(|keys| connection.identity(token, keys, revocations))
        {
            return Ok(identity);
        }
        let verified = self.admitted(token).await?;
        let identity = verified.identity.clone();
        connection.set(verified);
        Ok(identity)
    }

    /// A verified token whose session has not ended.
    async fn admitted(&self, token: &str) -> Result<Arc<VerifiedToken>, TokenError> {
        let verified = self.verified(token).await?;
        if verified.has_ended(&self.0.revocations) {
            return Err(TokenError::SessionEnded);
        }
        Ok(verified)
    }

    async fn verified(&self, token: &str) -> Result<Arc<VerifiedToken>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        if let Some(cached) = self.0.cache.get(token)
            && self.with_keys(|keys| Some(cached.is_valid(keys))) == Some(true)
        {
            return Ok(cached);
        }
        // Fails for unknown algorithms, among them "none".
        let header = decode_header(token).map_err(|error| match error.kind() {
            ErrorKind::Json(error) if error.to_string().contains("unknown variant") => {
                TokenError::Algorithm
            }
            _ => TokenError::Malformed,
        })?;
        if !self.0.trust.accepts(header.alg) {
            return Err(TokenError::Algorithm);
        }
        if has_critical_parameters(token) {
            return Err(TokenError::Critical);
        }
        let kid = header.kid.as_deref();
        match self.check(token, kid) {
            Err(TokenError::UnknownKey | TokenError::NoKeys)
                if self.refresh_for_unknown_key().await =>
            {
                self.check(token, kid)
            }
            result => result,
        }
    }

    /// Checks signature and claims, and caches the token if they are valid.
    fn check(&self, token: &str, kid: Option<&str>) -> Result<Arc<VerifiedToken>, TokenError> {
        let keys = self.with_keys(|keys| Some(Arc::clone(keys)));
        let keys = keys.ok_or(TokenError::NoKeys)?;
        let key = keys.find(kid)?;
        let decoded = decode::<Claims>(token, &key.decoding, &key.validation)
            .map_err(|error| TokenError::from(error.kind()))?;
        let identity = self.identity(decoded.claims)?;
        let verified = Arc::new(VerifiedToken::new(token, identity, keys));
        self.0.cache.insert(&verified);
        Ok(verified)
    }

    fn identity(&self, claims: Claims) -> Result<Identity, TokenError> {
        let external = self.0.trust.external;
        let account = if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT_BYTES {
            return Err(TokenError::Subject);
        } else if external {
            external_account(&claims.iss, &claims.sub)
        } else {
            Uuid::parse_str(&claims.sub).map_err(|_| TokenError::Subject)?
        };
        Ok(Identity {
            account,
            session: self.session(&claims.sid)?,
            handle_hint: claims.preferred_username,
            name_hint: claims.name,
            external,
            expires: claims.exp.as_f64().unwrap_or_default() as u64,
        })
    }

    /// The session in a token of write-api. Every one that it signs for a session has a well-formed claim.
    fn session(&self, sid: &Value) -> Result<Option<Uuid>, TokenError> {
        if self.0.trust.external || sid.is_null() {
            return Ok(None);
        }
        let sid = sid.as_str().and_then(|sid| Uuid::parse_str(sid).ok());
        sid.map(Some).ok_or(TokenError::Claim)
    }

    /// The result of `read` for the current key set. None without one.
    fn with_keys<T>(&self, read: impl FnOnce(&Arc<KeySet>) -> Option<T>) -> Option<T> {
        let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
        read(keys.as_ref()?)
    }

    fn set_keys(&self, set: &JwkSet) -> Result<(), String> {
        let new = KeySet::new(&set.keys, &self.0.trust);
        if new.is_empty() {
            return Err("the key set has no key of an accepted kind".to_owned());
        }
        let mut keys = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        // An unchanged set stays the same object, so that verified tokens stay valid.
        if keys.as_ref().is_none_or(|old| !old.equals(&new)) {
            *keys = Some(Arc::new(new));
        }
        Ok(())
    }

    /// Whether there is a newer key set.
    async fn refresh_for_unknown_key(&self) -> bool {
        let Some(source) = &self.0.source else {
            return false;
        };
        source.fetch_if_due(|set| self.set_keys(set)).await
    }

    async fn keep_keys_fresh(&self, health: &Health) {
        if let Some(source) = &self.0.source {
            let has_keys = || self.with_keys(|_| Some(())).is_some();
            source
                .keep_fresh(|set| self.set_keys(set), has_keys, health)
                .await;
        }
    }
}

/// Whether the header has the parameter `crit`, with any value. It names extensions that a recipient must understand
/// (RFC 7515, section 4.1.11), and none is supported.
fn has_critical_parameters(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let parameters = URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|json| serde_json::from_slice::<serde_json::Map<_, _>>(&json).ok());
    parameters.is_none_or(|parameters| parameters.contains_key("crit"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_last_token_of_a_connection_needs_no_lookup_in_the_cache() {
        let signer = Signer::new([1; 32], "feedmill", "feedmill").unwrap();
        let now = std::time::SystemTime::now().into();
        let token = signer
            .sign(Uuid::nil(), Duration::from_mins(1), now)
            .unwrap();
        let verifier = Verifier::of(&signer);
        let connection = ConnectionToken::default();
        assert!(verifier.verify_on(&connection, &token).await.is_ok());
        assert!(verifier.0.cache.get(&token).is_some());
        verifier.0.cache.clear();
        assert!(verifier.verify_on(&connection, &token).await.is_ok());
        assert!(verifier.0.cache.get(&token).is_none());
        // Another connection, and another verifier with the same key, know nothing of it.
        assert!(
            verifier
                .verify_on(&ConnectionToken::default(), &token)
                .await
                .is_ok()
        );
        assert!(verifier.0.cache.get(&token).is_some());
        let other = Verifier::of(&signer);
        assert!(other.verify_on(&connection, &token).await.is_ok());
        assert!(other.0.cache.get(&token).is_some());
    }
}
