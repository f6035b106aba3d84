//! Pages of a list: the parameters `limit` and `cursor`, and the cursor and link of the next page.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::cursor::Cursors;
use crate::{cache::answers, error::Error, views::Page};

/// The query parameters of every list.
#[derive(Debug, Default, Deserialize)]
pub struct PageQuery {
    #[serde(default)]
    limit: Limit,
    /// None and empty: the first page.
    #[serde(default)]
    cursor: String,
}

/// Items on a page, 1 to 100.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Limit(u8);

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl TryFrom<String> for Limit {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.parse() {
            Ok(limit @ 1..=100) => Ok(Self(limit)),
            _ => Err("must be a number from 1 to 100"),
        }
    }
}

/// The key that a list is ordered by, as text in a cursor.
pub trait SortKey: Sized {
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

/// To the microsecond, the resolution of PostgreSQL.
impl SortKey for (DateTime<Utc>, Uuid) {
    fn to_text(&self) -> String {
        format!("{}_{}", self.0.timestamp_micros(), self.1)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once('_')?;
        let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
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

/// The request for a page.
#[derive(Debug)]
pub struct PageRequest<'a, K> {
    cursors: &'a Cursors,
    path: Cow<'static, str>,
    viewer: Uuid,
    limit: u8,
    after: Option<K>,
}

impl<'a, K: SortKey> PageRequest<'a, K> {
    /// `path` identifies the list, however the client wrote it. Errors: a cursor of another list or viewer.
    pub fn new(
        cursors: &'a Cursors,
        path: impl Into<Cow<'static, str>>,
        viewer: Uuid,
        query: &PageQuery,
    ) -> Result<Self, Error> {
        let path = path.into();
        let after = match query.cursor.as_str() {
            "" => None,
            cursor => Some(
                cursors
                    .verify(&path, viewer, cursor)
                    .and_then(K::from_text)
                    .ok_or(Error::Cursor)?,
            ),
        };
        Ok(Self {
            cursors,
            path,
            viewer,
            limit: query.limit.0,
            after,
        })
    }

    pub fn viewer(&self) -> Uuid {
        self.viewer
    }

    /// The cache key of the page. It has the viewer even if the list is the same for everyone, because its cursors do.
    pub fn cache_key(&self) -> answers::Key {
        let after = self.after.as_ref();
        answers::Key {
            viewer: Some(self.viewer),
            path: self.path.clone(),
            limit: self.limit,
            after: after.map(|after| after.to_text().into()),
        }
    }

    /// How many rows to read: one more than the page has, which tells whether there is a next page.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page of up to [`rows`](Self::rows) items, and the address of the next page.
    pub fn page<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> (Page<T>, Option<String>) {
        let more = items.len() > usize::from(self.limit);
        items.truncate(self.limit.into());
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| {
            let key = key(last).to_text();
            self.cursors.sign(&self.path, self.viewer, &key)
        });
        let link = next_cursor
            .as_ref()
            .map(|cursor| format!("{}?limit={}&cursor={cursor}", self.path, self.limit));
        (Page { items, next_cursor }, link)
    }
}

impl<K: Copy> PageRequest<'_, K> {
    /// The key of the last item before the page; None for the first page.
    pub fn after(&self) -> Option<K> {
        self.after
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
        assert_eq!(<(DateTime<Utc>, Uuid)>::from_text(&id.to_text()), None);
        assert_eq!(Uuid::from_text(&(at, id).to_text()), None);
    }

    #[test]
    fn only_the_last_page_is_short() {
        let cursors = Cursors::new(&[1; 32]);
        let query = PageQuery {
            limit: Limit(2),
            cursor: String::new(),
        };
        let request = PageRequest::new(&cursors, "/v1/feed", Uuid::nil(), &query).unwrap();
        let ids: Vec<_> = (1..=3).map(Uuid::from_u128).collect();
        let (page, link) = request.page(ids.clone(), |id| *id);
        assert_eq!(page.items, ids[..2]);
        let cursor = page.next_cursor.unwrap();
        assert_eq!(link, Some(format!("/v1/feed?limit=2&cursor={cursor}")));
        let query = PageQuery {
            limit: Limit(2),
            cursor,
        };
        let request = PageRequest::new(&cursors, "/v1/feed", Uuid::nil(), &query).unwrap();
        assert_eq!(request.after(), Some(ids[1]));
        let (page, link) = request.page(ids[1..].to_vec(), |id| *id);
        assert_eq!((page.items.len(), page.next_cursor, link), (2, None, None));
    }
}
