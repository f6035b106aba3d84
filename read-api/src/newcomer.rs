//! An account of an external identity provider that has given no command yet.
//!
//! write-api creates it with its first command. Until then, it reads as an account that has done nothing, with the
//! handle and name that the command would give it.

use chrono::{DateTime, Utc};
use feedmill_service::{
    reserved_handles::is_reserved,
    tokens::{Identity, default_handle},
};
use uuid::Uuid;

use crate::{
    user_ref::UserRef,
    views::{AccountSummary, Profile},
};

/// In characters, as write-api has it.
const MAX_NAME_LENGTH: usize = 100;

/// The caller of a request, who may be one.
#[derive(Debug, Clone)]
pub struct Newcomer {
    pub id: Uuid,
    /// As in the token.
    handle_hint: Option<String>,
    name_hint: Option<String>,
}

impl Newcomer {
    /// None if write-api signs the tokens: it does so for existing accounts only.
    pub fn of(identity: Identity) -> Option<Self> {
        identity.external.then_some(Self {
            id: identity.account,
            handle_hint: identity.handle_hint,
            name_hint: identity.name_hint,
        })
    }

    /// The handle that the token suggests, if it is one that an account may choose.
    pub fn handle_hint(&self) -> Option<UserRef> {
        let hint = self.handle_hint.as_deref()?;
        let hint: UserRef = format!("@{}", hint.trim()).parse().ok()?;
        let is_reserved = hint.handle().is_some_and(is_reserved);
        (!is_reserved).then_some(hint)
    }

    /// The profile that the account would have if it were created `now`.
    pub fn profile(&self, hint_is_taken: bool, now: DateTime<Utc>) -> Profile {
        let hint = self.handle_hint().filter(|_| !hint_is_taken);
        let handle = hint
            .as_ref()
            .and_then(UserRef::handle)
            .map_or_else(|| default_handle(self.id), str::to_owned);
        let is_name = |name: &&str| {
            (1..=MAX_NAME_LENGTH).contains(&name.chars().count())
                && !name.chars().any(char::is_control)
        };
        let name = self.name_hint.as_deref().map(str::trim).filter(is_name);
        Profile {
            account: AccountSummary {
                id: self.id,
                display_name: name.unwrap_or(&handle).to_owned(),
                handle,
            },
            bio: String::new(),
            created_at: now,
            followers_count: 0,
            following_count: 0,
            posts_count: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(handle: Option<&str>, name: Option<&str>, is_taken: bool) -> (String, String) {
        let newcomer = Newcomer {
            id: Uuid::from_u128(0x0123_4567),
            handle_hint: handle.map(str::to_owned),
            name_hint: name.map(str::to_owned),
        };
        let account = newcomer.profile(is_taken, DateTime::default()).account;
        (account.handle, account.display_name)
    }

    #[test]
    fn a_newcomer_has_the_handle_and_name_of_the_token_if_they_can_be_used() {
        let both = |handle: &str, name: &str| (handle.to_owned(), name.to_owned());
        let default = default_handle(Uuid::from_u128(0x0123_4567));
        assert_eq!(
            summary(Some(" Miller "), Some(" The Miller "), false),
            both("miller", "The Miller")
        );
        assert_eq!(
            summary(Some("miller"), None, false),
            both("miller", "miller")
        );
        assert_eq!(
            summary(Some("miller"), Some("The Miller"), true),
            both(&default, "The Miller")
        );
        let too_long = "x".repeat(101);
        assert_eq!(
            summary(Some("Admin"), Some("Admin"), false),
            both(&default, "Admin")
        );
        for unusable in ["", " ", "two\nlines", &too_long] {
            assert_eq!(
                summary(Some(unusable), Some(unusable), false),
                both(&default, &default)
            );
        }
        assert_eq!(summary(None, None, false), both(&default, &default));
    }
}
