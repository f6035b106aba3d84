//! Checked texts. A value of these types is trimmed, in Unicode normalization form C, within its length in characters (Unicode
//! scalar values), and free of control characters, except line feeds and tabs in texts of several lines. It shows something,
//! unless it is empty. A name is a single line, and its bidirectional controls are balanced.

mod reserved_handles;
#[cfg(test)]
mod tests;
mod unicode;

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use self::reserved_handles::is_reserved;

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
pub enum Layout {
    /// A text of several lines.
    Lines,
    /// A name, which others show within a line of their own.
    Name,
}

pub fn clean(raw: &str, min: usize, max: usize, layout: Layout) -> Result<String, TextError> {
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

/// A type of text: `checked_text!(Name, minimum length, maximum length, layout)`.
#[macro_export]
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $min:expr, $max:expr, $layout:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = $crate::text::TextError;

            fn try_from(raw: String) -> Result<Self, Self::Error> {
                $crate::text::clean(&raw, $min, $max, $layout).map(Self)
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

checked_text!(
    /// The name of an account as people read it.
    DisplayName, 1, 100, Layout::Name
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

pub fn check_length(text: &str, min: usize, max: usize) -> Result<(), TextError> {
    let actual = text.chars().count();
    if (min..=max).contains(&actual) {
        Ok(())
    } else {
        Err(TextError::Length { min, max, actual })
    }
}
