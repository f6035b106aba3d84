//! The account that a path refers to: `/v1/users/{id or @handle}`.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// An account by id, or by handle in lower case, as handles are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    Id(Uuid),
    Handle(String),
}

impl UserRef {
    pub fn id(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Handle(_) => None,
        }
    }

    pub fn handle(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Handle(handle) => Some(handle),
        }
    }
}

/// The text is neither an id nor a well-formed handle, so no account matches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUserRef;

impl FromStr for UserRef {
    type Err = InvalidUserRef;

    fn from_str(text: &str) -> Result<Self, InvalidUserRef> {
        let Some(handle) = text.strip_prefix('@') else {
            return Uuid::parse_str(text)
                .map(Self::Id)
                .map_err(|_| InvalidUserRef);
        };
        let handle = handle.to_ascii_lowercase();
        let fits = (2..=30).contains(&handle.len())
            && handle
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if fits {
            Ok(Self::Handle(handle))
        } else {
            Err(InvalidUserRef)
        }
    }
}

/// As in a path.
impl fmt::Display for UserRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Handle(handle) => write!(f, "@{handle}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_id_or_handle() {
        assert_eq!(
            "@Some_One1".parse(),
            Ok(UserRef::Handle("some_one1".to_owned()))
        );
        let id = Uuid::from_u128(5);
        assert_eq!(id.to_string().parse(), Ok(UserRef::Id(id)));
        for invalid in [
            "",
            "@",
            "@a",
            "someone",
            "@so me",
            "@so\0me",
            "@é_é",
            &format!("@{}", "a".repeat(31)),
        ] {
            assert_eq!(
                invalid.parse::<UserRef>(),
                Err(InvalidUserRef),
                "{invalid:?}"
            );
        }
    }
}
