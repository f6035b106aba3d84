//! Checked texts. A value of these types is trimmed, in Unicode normalization form C, within its length in characters (Unicode
//! scalar values), and free of control characters, except line feeds and tabs in texts of several lines. It shows something,
//! unless it is empty. A name is a single line, and its bidirectional controls are balanced.

mod common_passwords;
mod unicode;

use std::{borrow::Cow, fmt};

use feedmill_service::reserved_handles::is_reserved;
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
    #[error("must be a single line (U+{0:04X} begins another)")]
    LineSeparator(u32),
    #[error("must have a character that is visible")]
    Invisible,
    #[error("must close every bidirectional control that it opens, and no other")]
    Bidirectional,
    #[error("may only contain letters a to z, digits and underscores")]
    Handle,
    #[error("is reserved")]
    ReservedHandle,
    #[error("is one of the most common passwords")]
    CommonPassword,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// A text of several lines.
    Lines,
    /// A name, which others show within a line of their own.
    Name,
}

fn clean(raw: &str, min: usize, max: usize, layout: Layout) -> Result<String, TextError> {
    let trimmed = raw.trim();
    let text: String = match layout {
        Layout::Lines => with_line_feeds(trimmed).nfc().collect(),
        Layout::Name => trimmed.nfc().collect(),
    };
    let is_layout = |c: char| layout == Layout::Lines && matches!(c, '\n' | '\t');
    if let Some(found) = text.chars().find(|c| c.is_control() && !is_layout(*c)) {
        return Err(TextError::Control(found as u32));
    }
    check_length(&text, min, max)?;
    if !text.is_empty() && text.chars().all(unicode::is_invisible) {
        return Err(TextError::Invisible);
    }
    if layout == Layout::Name {
        check_name(&text)?;
    }
    Ok(text)
}

/// CR LF and CR become LF.
fn with_line_feeds(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n").into()
    } else {
        text.into()
    }
}

/// A name is shown beside other text, which it must not move or reorder.
fn check_name(name: &str) -> Result<(), TextError> {
    if let Some(found) = name.chars().find(|c| unicode::is_line_separator(*c)) {
        return Err(TextError::LineSeparator(found as u32));
    }
    if !unicode::has_balanced_bidi_controls(name) {
        return Err(TextError::Bidirectional);
    }
    Ok(())
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $min:expr, $max:expr, $layout:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(raw: String) -> Result<Self, TextError> {
                clean(&raw, $min, $max, $layout).map(Self)
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
    /// The text of a post.
    PostText, 1, 5_000, Layout::Lines
);
text!(
    /// The text of a message, by the rules of a post.
    MessageText, 1, 5_000, Layout::Lines
);
text!(
    /// The name of an account as people read it.
    DisplayName, 1, 100, Layout::Name
);
text!(
    /// The description of an account. May be empty.
    Bio, 0, 500, Layout::Lines
);
text!(
    /// The title of a conversation.
    Title, 1, 100, Layout::Name
);
text!(
    /// What a client calls the device that it runs on.
    DeviceName, 1, 100, Layout::Name
);

/// The unique name of an account: `[a-z0-9_]{2,30}`. Capitals are converted to lower case, so handles are unique regardless
/// of case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Handle(String);

impl TryFrom<String> for Handle {
    type Error = TextError;

    fn try_from(raw: String) -> Result<Self, TextError> {
        let handle = raw.trim().to_ascii_lowercase();
        check_length(&handle, 2, 30)?;
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

    /// Whether no account may choose it.
    pub fn is_reserved(&self) -> bool {
        is_reserved(&self.0)
    }
}

impl From<Handle> for String {
    fn from(handle: Handle) -> String {
        handle.0
    }
}

/// The handle of somebody who signs up: not a reserved one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenHandle(pub Handle);

impl TryFrom<String> for ChosenHandle {
    type Error = TextError;

    fn try_from(raw: String) -> Result<Self, TextError> {
        let handle = Handle::try_from(raw)?;
        if handle.is_reserved() {
            return Err(TextError::ReservedHandle);
        }
        Ok(Self(handle))
    }
}

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

fn check_length(text: &str, min: usize, max: usize) -> Result<(), TextError> {
    let actual = text.chars().count();
    if (min..=max).contains(&actual) {
        Ok(())
    } else {
        Err(TextError::Length { min, max, actual })
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
mod tests;
