//! The public keys that tokens are verified with.

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};

use super::{error::TokenError, identity::LEEWAY_SECONDS};

/// The issuer whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct Trust {
    pub issuer: String,
    pub audience: String,
    /// The issuer is an external identity provider: `sub` is any text, and keys may be RS256, ES256 or EdDSA.
    /// Otherwise `sub` is an account id, and keys are EdDSA.
    pub external: bool,
}

impl Trust {
    pub(super) fn accepts(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::EdDSA => true,
            Algorithm::ES256 | Algorithm::RS256 => self.external,
            _ => false,
        }
    }
}

/// The accepted keys of a key set.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// The JWKs that `keys` were made from.
    jwks: Vec<Jwk>,
}

#[derive(Debug)]
pub(super) struct Key {
    kid: Option<String>,
    pub(super) decoding: DecodingKey,
    pub(super) validation: Validation,
}

impl KeySet {
    pub(super) fn new(jwks: &[Jwk], trust: &Trust) -> Self {
        let accepted = jwks
            .iter()
            .filter_map(|jwk| Some((Key::new(jwk, trust)?, jwk.clone())));
        let (keys, jwks) = accepted.unzip();
        Self { keys, jwks }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether both were made from the same JWKs.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.jwks == other.jwks
    }

    /// The key with this id. A token without one is accepted if there is only one key.
    pub(super) fn find(&self, kid: Option<&str>) -> Result<&Key, TokenError> {
        let key = match (kid, self.keys.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (kid, keys) => keys.iter().find(|key| key.kid.as_deref() == kid),
        };
        key.ok_or(TokenError::UnknownKey)
    }
}

impl Key {
    /// None for a key with another use, or of a kind that is not accepted.
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
        let declared = jwk.common.key_algorithm;
        if declared.is_some_and(|declared| declared != KeyAlgorithm::from(algorithm))
            || !trust.accepts(algorithm)
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
