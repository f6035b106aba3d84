//! An account of an external identity provider that has given no command yet.
//!
//! write-api creates it with its first command. Until then, it reads as an account that has done nothing, with the
//! handle and name that the command would give it.

use chrono::{DateTime, Utc};
use feedmill_service::{
    text::{ChosenHandle, DisplayName},
    tokens::{Identity, default_handle},
};
use uuid::Uuid;

use crate::{
    user_ref::UserRef,
    views::{AccountSummary, Profile},
};

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
        let ChosenHandle(handle) = self.handle_hint.clone()?.try_into().ok()?;
        Some(UserRef::Handle(handle.into()))
    }

    /// The profile that the account would have if it were created `now`.
    pub fn profile(&self, hint_is_taken: bool, now: DateTime<Utc>) -> Profile {
        let hint = self.handle_hint().filter(|_| !hint_is_taken);
        let handle = hint
            .as_ref()
            .and_then(UserRef::handle)
            .map_or_else(|| default_handle(self.id), str::to_owned);
        let name: Option<DisplayName> =
            self.name_hint.clone().and_then(|hint| hint.try_into().ok());
        Profile {
            account: AccountSummary {
                id: self.id,
                display_name: name.map_or_else(|| handle.clone(), String::from),
                handle,
            },
            bio: String::new(),
            created_at: now,
            followers_count: 0,
            following_count: 0,
            connections_count: 0,
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
        for unusable in ["", " ", "two\nlines", "\u{200b}", "a\u{202e}b", &too_long] {
            assert_eq!(
                summary(Some(unusable), Some(unusable), false),
                both(&default, &default)
            );
        }
        assert_eq!(summary(None, None, false), both(&default, &default));
    }
}
