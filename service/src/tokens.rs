//! Who is asking: signing and verifying bearer tokens (JWT, RFC 7519).

mod caller;
mod jwks;
mod remembered;
mod signer;
mod verifier;

pub use caller::Caller;
pub use signer::Signer;
pub use verifier::{TokenError, Trust, Verifier};

use uuid::Uuid;

/// How far apart the clocks of an issuer and ours may be, in seconds.
pub const LEEWAY_SECONDS: u64 = 5;

/// The namespace of accounts that somebody else's identity provider vouches for.
const EXTERNAL_ACCOUNTS: Uuid = Uuid::from_u128(0x8a0f_5d6e_3b1c_4f62_9d57_61c4_20e8_7a35);

/// Whom a valid token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub account: Uuid,
    /// `preferred_username` of the token, unchecked.
    pub handle_hint: Option<String>,
    /// `name` of the token, unchecked.
    pub name_hint: Option<String>,
    /// Vouched for by somebody else's identity provider: the account may not exist yet.
    pub external: bool,
    /// When the token expires (`exp`), in seconds since 1970. It is taken for [`LEEWAY_SECONDS`] more.
    pub expires: u64,
}

/// The account of a subject of somebody else's identity provider: the same in every service.
pub fn external_account(issuer: &str, subject: &str) -> Uuid {
    Uuid::new_v5(
        &EXTERNAL_ACCOUNTS,
        format!("{issuer}\n{subject}").as_bytes(),
    )
}
