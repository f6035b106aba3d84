//! Bearer tokens (JWT, RFC 7519): signing, verifying, and the caller of a request.
//!
//! - [`Signer`] signs with the installation's key; [`Verifier`] verifies with the keys of [`keys`], which come from a
//!   signer or from a key set that [`jwks`] fetches.
//! - A verified token is remembered twice: by the connection that it came on ([`connection_token`]), and in a cache
//!   that all connections share ([`cache`]).
//! - [`Caller`] is the extractor.

mod cache;
mod caller;
mod connection_token;
mod error;
mod identity;
mod jwks;
mod keys;
mod signer;
mod verified_token;
mod verifier;

pub use caller::Caller;
pub use connection_token::ConnectionToken;
pub use error::TokenError;
pub use identity::{Identity, LEEWAY_SECONDS, external_account};
pub use keys::Trust;
pub use signer::Signer;
pub use verifier::Verifier;
