//! Checked texts. A value of these types is trimmed, in Unicode normalization form C, within its length in characters (Unicode
//! scalar values), and free of control characters.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// Why a text is invalid. The message is for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("must have {min} to {max} characters, and has {actual}")]
    Length {
        min: usize,
        max: usize,
        actual: usize,
    },
    #[error("must not contain control characters (U+{0:04X})")]
    Control(u32),
    #[error("may only contain letters a to z, digits and underscores")]
    Handle,
}

fn clean(raw: &str, min: usize, max: usize, lines: bool) -> Result<String, TextError> {
    let text: String = raw.trim().nfc().collect();
    let control = |c: &char| c.is_control() && !(lines && *c == '\n');
    if let Some(found) = text.chars().find(control) {
        return Err(TextError::Control(found as u32));
    }
    let actual = text.chars().count();
    if actual < min || actual > max {
        return Err(TextError::Length { min, max, actual });
    }
    Ok(text)
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $min:expr, $max:expr, $lines:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(raw: String) -> Result<Self, TextError> {
                clean(&raw, $min, $max, $lines).map(Self)
            }
        }

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }
    };
}

text!(
    /// The text of a post. Line feeds are allowed.
    PostText, 1, 5_000, true
);
text!(
    /// The text of a message, by the rules of a post.
    MessageText, 1, 5_000, true
);
text!(
    /// The name of an account as people read it.
    DisplayName, 1, 100, false
);
text!(
    /// The description of an account. May be empty.
    Bio, 0, 500, true
);
text!(
    /// The title of a conversation.
    Title, 1, 100, false
);

/// The unique name of an account: `[a-z0-9_]{2,30}`. Capitals are converted to lower case, so handles are unique regardless
/// of case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(String);

impl TryFrom<String> for Handle {
    type Error = TextError;

    fn try_from(raw: String) -> Result<Self, TextError> {
        let handle = raw.trim().to_ascii_lowercase();
        let actual = handle.chars().count();
        if !(2..=30).contains(&actual) {
            return Err(TextError::Length {
                min: 2,
                max: 30,
                actual,
            });
        }
        if !handle
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            return Err(TextError::Handle);
        }
        Ok(Self(handle))
    }
}

impl Handle {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Handle> for String {
    fn from(handle: Handle) -> String {
        handle.0
    }
}

/// A password of 8 to 200 characters. It is normalized to form C, so that it is the same on every device, and otherwise
/// unchanged.
#[derive(Clone)]
pub struct Password(String);

impl TryFrom<String> for Password {
    type Error = TextError;

    fn try_from(raw: String) -> Result<Self, TextError> {
        let password: String = raw.nfc().collect();
        let actual = password.chars().count();
        if !(8..=200).contains(&actual) {
            return Err(TextError::Length {
                min: 8,
                max: 200,
                actual,
            });
        }
        Ok(Self(password))
    }
}

impl Password {
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Never prints the password.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(raw: &str) -> Result<String, TextError> {
        PostText::try_from(raw.to_owned()).map(String::from)
    }

    #[test]
    fn texts_are_trimmed_and_normalized() {
        assert_eq!(post("  cafe\u{301}\n").unwrap(), "caf\u{e9}");
        assert_eq!(post("a\nb").unwrap(), "a\nb");
    }

    #[test]
    fn a_text_of_the_wrong_length_is_refused() {
        assert_eq!(
            post(" \t "),
            Err(TextError::Length {
                min: 1,
                max: 5_000,
                actual: 0
            })
        );
        assert!(post(&"é".repeat(5_000)).is_ok());
        assert_eq!(
            post(&"é".repeat(5_001)),
            Err(TextError::Length {
                min: 1,
                max: 5_000,
                actual: 5_001
            })
        );
    }

    #[test]
    fn control_characters_are_refused() {
        for bad in ["a\0b", "a\u{7}b", "a\u{85}b", "a\rb"] {
            assert!(matches!(post(bad), Err(TextError::Control(_))), "{bad:?}");
        }
        assert!(DisplayName::try_from("two\nlines".to_owned()).is_err());
    }

    #[test]
    fn a_handle_is_lower_case() {
        assert_eq!(
            Handle::try_from("Old_Mill7".to_owned()).unwrap().as_str(),
            "old_mill7"
        );
        for bad in ["a", "", "with space", "ümlaut", "dash-ed", &"a".repeat(31)] {
            assert!(Handle::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
