//! Checked texts, by the rules of [`feedmill_service::text`], and passwords.

mod common_passwords;

use std::fmt;

use feedmill_service::{
    checked_text,
    text::{Layout, check_length},
};
use unicode_normalization::UnicodeNormalization;

pub use feedmill_service::text::{ChosenHandle, DisplayName, Handle, TextError};

checked_text!(
    /// The text of a post.
    PostText, 1, 5_000, Layout::Lines
);
checked_text!(
    /// The text of a message, by the rules of a post.
    MessageText, 1, 5_000, Layout::Lines
);
checked_text!(
    /// The description of an account. May be empty.
    Bio, 0, 500, Layout::Lines
);
checked_text!(
    /// The title of a conversation.
    Title, 1, 100, Layout::Name
);
checked_text!(
    /// The name of an audience tag.
    TagName, 1, 100, Layout::Name
);
checked_text!(
    /// What a client calls the device that it runs on.
    DeviceName, 1, 100, Layout::Name
);

/// A new password of 8 to 200 characters without control characters, and not one of the most common ones. It is normalized to
/// form C, so that it is the same on every device, and otherwise unchanged.
#[derive(Clone)]
pub struct Password(String);

impl TryFrom<String> for Password {
    type Error = TextError;

    fn try_from(raw: String) -> Result<Self, TextError> {
        let password: String = raw.nfc().collect();
        check_length(&password, 8, 200)?;
        if let Some(found) = password.chars().find(|c| c.is_control()) {
            return Err(TextError::Control(found as u32));
        }
        if common_passwords::contains(&password) {
            return Err(TextError::CommonPassword);
        }
        Ok(Self(password))
    }
}

impl Password {
    /// Whether it is the handle, in upper or lower case.
    pub fn is_handle(&self, handle: &str) -> bool {
        self.0.eq_ignore_ascii_case(handle)
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The password of a sign-in: 1 to 1,024 characters. It need not be one that a new account may have, because imported
/// accounts have the passwords of another system.
#[derive(Clone)]
pub struct GivenPassword {
    normalized: String,
    /// None if it is the same.
    as_typed: Option<String>,
}

impl TryFrom<String> for GivenPassword {
    type Error = TextError;

    fn try_from(raw: String) -> Result<Self, TextError> {
        check_length(&raw, 1, 1_024)?;
        let normalized: String = raw.nfc().collect();
        let as_typed = (raw != normalized).then_some(raw);
        Ok(Self {
            normalized,
            as_typed,
        })
    }
}

impl GivenPassword {
    /// In form C, as passwords are hashed here.
    pub fn as_bytes(&self) -> &[u8] {
        self.normalized.as_bytes()
    }

    /// The password before it was normalized, if that is different.
    pub fn as_typed(&self) -> Option<&[u8]> {
        self.as_typed.as_ref().map(String::as_bytes)
    }
}

/// Never prints the password.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Never prints the password.
impl fmt::Debug for GivenPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenPassword(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_its_layout() {
        let lines = "a\r\n\tb".to_owned();
        let bio = Bio::try_from(lines.clone()).unwrap();
        assert_eq!(bio.as_str(), "a\n\tb");
        assert!(Bio::try_from(String::new()).is_ok());
        let message = MessageText::try_from(lines.clone()).unwrap();
        assert_eq!(message.as_str(), "a\n\tb");
        let post = PostText::try_from(lines.clone()).unwrap();
        assert_eq!(post.as_str(), "a\n\tb");
        assert!(Title::try_from(lines.clone()).is_err());
        assert!(DeviceName::try_from(lines).is_err());
        let title = Title::try_from("a\u{202e}b".to_owned());
        assert_eq!(title, Err(TextError::Bidirectional));
    }

    #[test]
    fn a_new_password_is_not_one_that_is_easily_guessed() {
        let new = |raw: &str| Password::try_from(raw.to_owned()).map(drop);
        assert_eq!(new("stone and water"), Ok(()));
        assert_eq!(new("ein Müller mahlt"), Ok(()));
        for common in ["password", "12345678", "Sunshine", "PASSWORD1"] {
            assert_eq!(new(common), Err(TextError::CommonPassword), "{common}");
        }
        for (control, code) in [
            ("stone\0water", 0),
            ("stone\nwater", 10),
            ("stone\u{85}water", 0x85),
        ] {
            assert_eq!(new(control), Err(TextError::Control(code)));
        }
        let password = Password::try_from("The_Miller".to_owned()).unwrap();
        assert!(password.is_handle("the_miller") && !password.is_handle("the_mille"));
    }

    #[test]
    fn a_given_password_need_not_be_one_that_may_be_chosen() {
        let given = |raw: &str| GivenPassword::try_from(raw.to_owned());
        assert!(Password::try_from("1234".to_owned()).is_err());
        assert!(given("1234").is_ok_and(|given| given.as_typed().is_none()));
        assert!(given("").is_err() && given(&"x".repeat(1_025)).is_err());
        let decomposed = given("cafe\u{301}").unwrap();
        assert_eq!(decomposed.as_bytes(), "caf\u{e9}".as_bytes());
        assert_eq!(decomposed.as_typed(), Some("cafe\u{301}".as_bytes()));
        assert_eq!(format!("{decomposed:?}"), "GivenPassword(…)");
    }
}
