//! Verifying tokens.

use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Identity, LEEWAY_SECONDS, Signer, external_account, jwks::Source, remembered::Remembered,
};
use crate::{health::Health, shutdown::Shutdown};

/// A longer token is not looked at.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Why a token is refused. The texts are shown to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is malformed")]
    Malformed,
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    #[error("the token is signed with an algorithm that is not accepted")]
    Algorithm,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token is from another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token lacks one of exp, iss, aud and sub")]
    Claim,
    #[error("the token's subject is no account")]
    Subject,
    /// Not the token's fault: no key could be fetched so far.
    #[error("there are no keys to verify tokens with yet")]
    NoKeys,
}

/// Whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct Trust {
    pub issuer: String,
    pub audience: String,
    /// The issuer is somebody else's identity provider: `sub` is any text, and keys may be RS256, ES256 or
    /// EdDSA. Otherwise `sub` is an account's id, and keys are EdDSA.
    pub external: bool,
}

/// Verifies tokens, and remembers those that it has. Cheap to clone; clones share their keys.
#[derive(Debug, Clone)]
pub struct Verifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    trust: Trust,
    keys: RwLock<Option<Arc<KeySet>>>,
    remembered: Remembered,
    source: Option<Source>,
}

/// The keys of a key set that are accepted. Another object is another set.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// What they were made of.
    jwks: Vec<Jwk>,
}

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    // Missing ones are refused by the validation, which says so better.
    #[serde(default)]
    iss: String,
    #[serde(default)]
    sub: String,
    /// Any number, and checked by the validation.
    #[serde(default)]
    exp: serde_json::Value,
    preferred_username: Option<String>,
    name: Option<String>,
}

impl Verifier {
    /// Accepts what `signer` signs.
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
            remembered: Remembered::new(),
            source: None,
        }))
    }

    /// Accepts what the keys of a JSON Web Key Set sign. They are fetched in the background: again and again
    /// until it works (until then, the part `token_keys` of `health` is not ready), then every five minutes,
    /// and at once for a key that is not known, though not more often than every 10 s. Keys that are gone
    /// from the set are no longer accepted. Needs a tokio runtime. Errors: a URL that is none.
    pub fn from_jwks(
        url: &str,
        trust: Trust,
        health: &Health,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Self> {
        let source = Some(Source::new(url)?);
        let verifier = Self(Arc::new(Inner {
            trust,
            keys: RwLock::default(),
            remembered: Remembered::new(),
            source,
        }));
        let refreshed = verifier.clone();
        let (health, stop) = (health.clone(), shutdown.soft.clone());
        super::jwks::set_not_ready(&health, "not fetched yet");
        tokio::spawn(async move {
            stop.run_until_cancelled(refreshed.refresh_for_ever(&health))
                .await;
        });
        Ok(verifier)
    }

    /// Whom a token names. Takes well under a millisecond, and for a token that was verified before with the keys
    /// of now about one microsecond; but a token with an unknown key may wait for the key set to be fetched.
    pub async fn verify(&self, bearer: &str) -> Result<Identity, TokenError> {
        if bearer.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        if let Some(identity) = self.remembered(bearer) {
            return Ok(identity);
        }
        // Fails for algorithms that are none, "none" first of all.
        let header = decode_header(bearer).map_err(|error| match error.kind() {
            ErrorKind::Json(error) if error.to_string().contains("unknown variant") => {
                TokenError::Algorithm
            }
            _ => TokenError::Malformed,
        })?;
        if header.alg != Algorithm::EdDSA && !(self.0.trust.external && is_asymmetric(header.alg)) {
            return Err(TokenError::Algorithm);
        }
        let kid = header.kid.as_deref();
        match self.check(bearer, kid) {
            Err(TokenError::UnknownKey | TokenError::NoKeys)
                if self.refresh_for_unknown_key().await =>
            {
                self.check(bearer, kid)
            }
            result => result,
        }
    }

    fn remembered(&self, bearer: &str) -> Option<Identity> {
        let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
        self.0.remembered.find(bearer, keys.as_ref()?)
    }

    fn check(&self, bearer: &str, kid: Option<&str>) -> Result<Identity, TokenError> {
        let keys = self.keys().ok_or(TokenError::NoKeys)?;
        let key = match (kid, keys.keys.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (kid, keys) => keys.iter().find(|key| key.kid.as_deref() == kid),
        };
        let key = key.ok_or(TokenError::UnknownKey)?;
        let token = decode::<Claims>(bearer, &key.decoding, &key.validation)
            .map_err(|error| refusal(error.kind()))?;
        let identity = self.identity(token.claims)?;
        self.0.remembered.keep(bearer, &identity, &keys);
        Ok(identity)
    }

    fn identity(&self, claims: Claims) -> Result<Identity, TokenError> {
        let external = self.0.trust.external;
        let account = if claims.sub.is_empty() || claims.sub.len() > 1024 {
            return Err(TokenError::Subject);
        } else if external {
            external_account(&claims.iss, &claims.sub)
        } else {
            Uuid::parse_str(&claims.sub).map_err(|_| TokenError::Subject)?
        };
        Ok(Identity {
            account,
            handle_hint: claims.preferred_username,
            name_hint: claims.name,
            external,
            expires: claims.exp.as_f64().unwrap_or_default() as u64,
        })
    }

    fn keys(&self) -> Option<Arc<KeySet>> {
        self.0
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn put(&self, set: &JwkSet) -> Result<(), String> {
        let new = KeySet::new(&set.keys, &self.0.trust);
        if new.keys.is_empty() {
            return Err("the key set has no key of a kind that is accepted".to_owned());
        }
        let mut keys = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        // The same set is the same object, so what was verified with it stays so.
        if keys.as_ref().is_none_or(|old| old.jwks != new.jwks) {
            *keys = Some(Arc::new(new));
        }
        Ok(())
    }

    /// Whether new keys were fetched, by this or by a call that this one waited for.
    async fn refresh_for_unknown_key(&self) -> bool {
        let Some(source) = &self.0.source else {
            return false;
        };
        source.fetch_if_due(|set| self.put(set)).await
    }

    async fn refresh_for_ever(&self, health: &Health) {
        if let Some(source) = &self.0.source {
            source
                .keep_fresh(|set| self.put(set), || self.keys().is_some(), health)
                .await;
        }
    }
}

impl KeySet {
    fn new(jwks: &[Jwk], trust: &Trust) -> Self {
        let accepted = jwks
            .iter()
            .filter_map(|jwk| Some((Key::new(jwk, trust)?, jwk.clone())));
        let (keys, jwks) = accepted.unzip();
        Self { keys, jwks }
    }
}

impl Key {
    /// None for keys that are for something else, or of a kind that is not accepted.
    fn new(jwk: &Jwk, trust: &Trust) -> Option<Self> {
        if matches!(jwk.common.public_key_use, Some(ref usage) if *usage != PublicKeyUse::Signature)
        {
            return None;
        }
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            _ => return None,
        };
        let named = jwk.common.key_algorithm;
        if named.is_some_and(|named| named != KeyAlgorithm::from(algorithm))
            || (algorithm != Algorithm::EdDSA && !trust.external)
        {
            return None;
        }
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&trust.issuer]);
        validation.set_audience(&[&trust.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Some(Self {
            kid: jwk.common.key_id.clone(),
            decoding: DecodingKey::from_jwk(jwk).ok()?,
            validation,
        })
    }
}

fn is_asymmetric(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::EdDSA | Algorithm::ES256 | Algorithm::RS256
    )
}

fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYet,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => TokenError::Claim,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => TokenError::Algorithm,
        ErrorKind::InvalidSignature => TokenError::Signature,
        _ => TokenError::Malformed,
    }
}
