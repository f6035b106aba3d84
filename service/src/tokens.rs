//! Bearer tokens (JWT, RFC 7519): signing, verifying, and the caller of a request.
//!
//! - [`Signer`] signs with the key of the installation.
//! - [`Verifier`] verifies with the keys (`keys`) of a signer or of a key set that is fetched (`jwks`).
//! - A verified token is cached by its connection (`connection_token`) and for all connections (`cache`).
//! - [`revocations`]: the tokens of ended sessions are refused, whether or not they are cached.
//! - [`Caller`] extracts the caller of a request.

mod cache;
mod caller;
mod claims;
mod connection_token;
mod error;
mod fetch;
mod identity;
mod jwks;
mod keys;
pub mod revocations;
mod signer;
mod unix_time;
mod verified_token;
mod verifier;

pub use caller::Caller;
pub use connection_token::ConnectionToken;
pub use error::TokenError;
pub use identity::{Identity, LEEWAY_SECONDS, MAX_SUBJECT_BYTES, default_handle, external_account};
pub use keys::Trust;
pub use signer::Signer;
pub use verifier::Verifier;
