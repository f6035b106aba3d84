//! The account that a valid token names.

use uuid::Uuid;

/// The accepted difference between an issuer's clock and ours, in seconds.
pub const LEEWAY_SECONDS: u64 = 5;

/// The maximum length of a subject.
pub const MAX_SUBJECT_BYTES: usize = 1024;

/// The UUIDv5 namespace of accounts that an external identity provider vouches for.
const EXTERNAL_ACCOUNTS: Uuid = Uuid::from_u128(0x8a0f_5d6e_3b1c_4f62_9d57_61c4_20e8_7a35);

/// The subject of a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub account: Uuid,
    /// The session that the token belongs to (`sid`). None for tokens of an external identity provider, and for those that
    /// an operator makes.
    pub session: Option<Uuid>,
    /// The `preferred_username` claim, not validated.
    pub handle_hint: Option<String>,
    /// The `name` claim, not validated.
    pub name_hint: Option<String>,
    /// The token is from an external identity provider: the account may not exist yet.
    pub external: bool,
    /// Expiry (`exp`), in Unix seconds. The token is accepted for [`LEEWAY_SECONDS`] more.
    pub expires: u64,
}

/// The account id of a subject of an external identity provider: the same in every service and in an import. Different pairs
/// have different ids as long as no issuer contains a line feed.
pub fn external_account(issuer: &str, subject: &str) -> Uuid {
    Uuid::new_v5(
        &EXTERNAL_ACCOUNTS,
        format!("{issuer}\n{subject}").as_bytes(),
    )
}

/// The handle of an external account whose token has no hint that can be used. Practically never taken.
pub fn default_handle(account: Uuid) -> String {
    format!("u_{}", &account.simple().to_string()[8..32])
}
