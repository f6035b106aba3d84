//! Signing tokens with the key of the installation.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use chrono::{DateTime, Utc};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding},
};
use hmac::{Hmac, Mac};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use serde::Serialize;
use sha2::Sha256;
use uuid::Uuid;

use crate::secret_file;

/// An Ed25519 key with the issuer and audience of its tokens. Cheap to clone.
#[derive(Clone)]
pub struct Signer(Arc<Inner>);

struct Inner {
    seed: [u8; 32],
    key: EncodingKey,
    jwk: Jwk,
    kid: String,
    issuer: String,
    audience: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    iat: i64,
    exp: i64,
}

impl Signer {
    /// The key in `file` (PEM, PKCS #8), which is created with mode 0600 if it does not exist. Several processes may do
    /// so at the same time: one creates it, all read it. Errors: the file cannot be read or written, or has no such
    /// key.
    pub fn load_or_create(file: &Path, issuer: &str, audience: &str) -> anyhow::Result<Self> {
        let pem = secret_file::load_or_create(file, || {
            let pem = pkcs8(rand::random()).to_pkcs8_pem(LineEnding::LF)?;
            Ok(pem.to_string())
        })?;
        Self::from_pem(&pem, issuer, audience)
            .with_context(|| format!("cannot use the key file {}", file.display()))
    }

    /// A key in PEM (PKCS #8), as `openssl genpkey -algorithm ed25519` writes it.
    pub fn from_pem(pem: &str, issuer: &str, audience: &str) -> anyhow::Result<Self> {
        let key = SigningKey::from_pkcs8_pem(pem.trim())
            .context("not an Ed25519 key in PEM (PKCS #8)")?;
        Self::new(key.to_bytes(), issuer, audience)
    }

    /// A key from its 32-byte seed.
    pub fn new(seed: [u8; 32], issuer: &str, audience: &str) -> anyhow::Result<Self> {
        let der = pkcs8(seed).to_pkcs8_der()?;
        let key = EncodingKey::from_ed_der(der.as_bytes());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::EdDSA)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let (issuer, audience) = (issuer.to_owned(), audience.to_owned());
        Ok(Self(Arc::new(Inner {
            seed,
            key,
            jwk,
            kid,
            issuer,
            audience,
        })))
    }

    /// The public key as a JSON Web Key Set (RFC 7517).
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({ "keys": [self.jwk()] })
    }

    /// A token for an account, valid from `now` for `ttl`, which is truncated to seconds. It belongs to no session.
    pub fn sign(&self, account: Uuid, ttl: Duration, now: DateTime<Utc>) -> anyhow::Result<String> {
        self.sign_claims(account, None, ttl, now)
    }

    /// The same, for a session: it is refused when the session has ended.
    pub fn sign_for_session(
        &self,
        account: Uuid,
        session: Uuid,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        self.sign_claims(account, Some(session), ttl, now)
    }

    fn sign_claims(
        &self,
        account: Uuid,
        session: Option<Uuid>,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        let iat = now.timestamp();
        let claims = Claims {
            iss: &self.0.issuer,
            aud: &self.0.audience,
            sub: account,
            sid: session,
            iat,
            exp: iat.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)),
        };
        let header = Header {
            kid: Some(self.0.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &self.0.key).context("cannot sign a token")
    }

    /// A secret for another purpose, which reveals nothing about the key: HMAC-SHA-256 of `label`.
    pub fn derived_secret(&self, label: &str) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0.seed)
            .expect("HMAC accepts keys of any length");
        mac.update(b"feedmill derived secret\n");
        mac.update(label.as_bytes());
        mac.finalize().into_bytes().into()
    }

    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    pub fn audience(&self) -> &str {
        &self.0.audience
    }

    pub(super) fn jwk(&self) -> &Jwk {
        &self.0.jwk
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("kid", &self.0.kid)
            .finish_non_exhaustive()
    }
}

/// Without the public key: the form that OpenSSL writes and every library reads.
fn pkcs8(seed: [u8; 32]) -> KeypairBytes {
    KeypairBytes {
        secret_key: seed,
        public_key: None,
    }
}
