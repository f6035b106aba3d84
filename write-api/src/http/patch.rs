//! Members of a JSON merge patch (RFC 7396), which distinguishes an absent member from `null`.

use std::fmt::Display;

use serde::{Deserialize, Deserializer};

use super::request::Fields;

/// A member of the body of a `PATCH`. Needs `#[serde(default)]`, which makes a missing member [`Patch::Absent`].
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// The field stays as it is.
    #[default]
    Absent,
    /// `null`: the field is cleared, if it can be empty.
    Null,
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Option::deserialize(from)?;
        Ok(value.map_or(Self::Null, Self::Value))
    }
}

impl Fields {
    /// A field that cannot be empty. The outer None means that it is invalid.
    #[expect(
        clippy::option_option,
        reason = "the outer Option is removed by the caller's match"
    )]
    pub fn take_required_patch<T>(
        &mut self,
        field: &str,
        patch: Patch<impl TryInto<T, Error: Display>>,
    ) -> Option<Option<T>> {
        match patch {
            Patch::Absent => Some(None),
            Patch::Null => {
                self.refuse(field, "must not be null");
                None
            }
            Patch::Value(value) => self.take(field, value).map(Some),
        }
    }

    /// A text that can be empty: `null` is the empty text. The outer None means that it is invalid.
    #[expect(
        clippy::option_option,
        reason = "the outer Option is removed by the caller's match"
    )]
    pub fn take_clearable_patch<T>(
        &mut self,
        field: &str,
        patch: Patch<String>,
    ) -> Option<Option<T>>
    where
        String: TryInto<T, Error: Display>,
    {
        match patch {
            Patch::Absent => Some(None),
            Patch::Null => self.take(field, String::new()).map(Some),
            Patch::Value(value) => self.take(field, value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Body {
        #[serde(default)]
        bio: Patch<String>,
    }

    #[test]
    fn null_is_not_an_absent_member() {
        let bio = |json| serde_json::from_str::<Body>(json).unwrap().bio;
        assert_eq!(bio("{}"), Patch::Absent);
        assert_eq!(bio(r#"{"bio": null}"#), Patch::Null);
        assert_eq!(bio(r#"{"bio": ""}"#), Patch::Value(String::new()));
        assert!(serde_json::from_str::<Body>(r#"{"bio": 1}"#).is_err());
    }
}
