//! The keys that lists are ordered by, as text in a cursor.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::seek::{Seek, TimeKey};

/// The key that a list is ordered by, as text in a cursor.
pub trait SortKey: Copy {
    fn to_text(&self) -> String;
    fn from_text(text: &str) -> Option<Self>;
}

impl SortKey for Uuid {
    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl SortKey for i64 {
    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// To the microsecond, the resolution of PostgreSQL.
impl SortKey for TimeKey {
    fn to_text(&self) -> String {
        format!("{}_{}", self.0.timestamp_micros(), self.1)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once('_')?;
        let at = DateTime::<Utc>::from_timestamp_micros(micros.parse().ok()?)?;
        Some((at, id.parse().ok()?))
    }
}

/// A key in a list of an account. A cursor stays with the account, even if the handle in its path passes on to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfAccount<K> {
    pub account: Uuid,
    pub key: K,
}

impl<K: SortKey> SortKey for OfAccount<K> {
    fn to_text(&self) -> String {
        format!("{}_{}", self.account, self.key.to_text())
    }

    fn from_text(text: &str) -> Option<Self> {
        let (account, key) = text.split_once('_')?;
        Some(Self {
            account: account.parse().ok()?,
            key: K::from_text(key)?,
        })
    }
}

/// Begins the text of a cursor that leads back. No text of a key begins with it.
const BACK: char = '~';

impl<K: SortKey> Seek<K> {
    /// None for the first page, which has no cursor.
    pub fn to_text(self) -> Option<String> {
        match self {
            Self::Start => None,
            Self::After(key) => Some(key.to_text()),
            Self::Before(key) => Some(format!("{BACK}{}", key.to_text())),
        }
    }

    pub fn from_text(text: &str) -> Option<Self> {
        match text.strip_prefix(BACK) {
            None => K::from_text(text).map(Self::After),
            Some(text) => K::from_text(text).map(Self::Before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_key_survives_its_text() {
        let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        let at = DateTime::from_timestamp_micros(1_713_000_000_123_456).unwrap();
        assert_eq!(Uuid::from_text(&id.to_text()), Some(id));
        assert_eq!(SortKey::from_text(&(at, id).to_text()), Some((at, id)));
        let of_account = OfAccount {
            account: Uuid::from_u128(7),
            key: (at, id),
        };
        assert_eq!(SortKey::from_text(&of_account.to_text()), Some(of_account));
        assert_eq!(OfAccount::<Uuid>::from_text(&id.to_text()), None);
        assert_eq!(TimeKey::from_text(&id.to_text()), None);
        assert_eq!(Uuid::from_text(&(at, id).to_text()), None);
        for seek in [Seek::After(of_account), Seek::Before(of_account)] {
            assert_eq!(Seek::from_text(&seek.to_text().unwrap()), Some(seek));
        }
    }
}
