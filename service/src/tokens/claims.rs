//! All claims of a token, for those who need more than its identity.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{error::TokenError, identity::Identity, verifier::Verifier};

impl Verifier {
    /// Like [`Self::verify`], with all claims of the token.
    pub async fn verify_claims(
        &self,
        token: &str,
    ) -> Result<(Identity, Map<String, Value>), TokenError> {
        let identity = self.verify(token).await?;
        // The signature of this payload was verified.
        let payload = token.split('.').nth(1).unwrap_or_default();
        let claims = URL_SAFE_NO_PAD.decode(payload).ok();
        let claims = claims.and_then(|json| serde_json::from_slice(&json).ok());
        Ok((identity, claims.ok_or(TokenError::Malformed)?))
    }
}
