//! Pages: `?limit=` and `?cursor=` in, `next_cursor` and the link to the next page out.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::{cache, cursor::Cursors, error::Error, view};

/// The parameters of every list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
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

/// Where in its order a list goes on: the key of the last item that the client has, as it is in a cursor.
pub trait Key: Sized {
    fn to_text(&self) -> String;
    fn from_text(text: &str) -> Option<Self>;
}

impl Key for Uuid {
    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// To the microsecond, as PostgreSQL keeps times.
impl Key for (DateTime<Utc>, Uuid) {
    fn to_text(&self) -> String {
        format!("{}_{}", self.0.timestamp_micros(), self.1)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once('_')?;
        let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        Some((at, id.parse().ok()?))
    }
}

/// A page that was asked for.
#[derive(Debug)]
pub struct PageRequest<'a, K> {
    cursors: &'a Cursors,
    path: Cow<'static, str>,
    viewer: Uuid,
    limit: u8,
    after: Option<K>,
}

impl<'a, K: Key> PageRequest<'a, K> {
    /// `path` is that of the list, the same however the client wrote it. Errors: a cursor that was not made
    /// for this list and viewer.
    pub fn new(
        cursors: &'a Cursors,
        path: impl Into<Cow<'static, str>>,
        viewer: Uuid,
        query: &PageQuery,
    ) -> Result<Self, Error> {
        let path = path.into();
        let open = |cursor: &String| {
            cursors
                .open(&path, viewer, cursor)
                .and_then(K::from_text)
                .ok_or(Error::Cursor)
        };
        let after = query.cursor.as_ref().map(open).transpose()?;
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

    /// Of its answer, which is the viewer's own, as its cursors are.
    pub fn cache_key(&self) -> cache::Key {
        let after = self.after.as_ref();
        cache::Key {
            viewer: Some(self.viewer),
            path: self.path.clone(),
            limit: self.limit,
            after: after.map(|after| after.to_text().into()),
        }
    }

    /// How many rows to ask for: one more than the page has, which tells whether it is the last.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Makes the page of up to [`rows`](Self::rows) items, and the address of the next one.
    pub fn fill<T>(
        &self,
        mut items: Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> (view::Page<T>, Option<String>) {
        let more = items.len() > usize::from(self.limit);
        items.truncate(self.limit.into());
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| {
            let place = key(last).to_text();
            self.cursors.seal(&self.path, self.viewer, &place)
        });
        let link = next_cursor
            .as_ref()
            .map(|cursor| format!("{}?limit={}&cursor={cursor}", self.path, self.limit));
        (view::Page { items, next_cursor }, link)
    }
}

impl<K: Copy> PageRequest<'_, K> {
    /// The key of the last item before the page; none for the first page.
    pub fn after(&self) -> Option<K> {
        self.after
    }
}

/// For routes that take no parameters: whatever comes is refused by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back() {
        let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        let at = DateTime::from_timestamp_micros(1_713_000_000_123_456).unwrap();
        assert_eq!(Uuid::from_text(&id.to_text()), Some(id));
        assert_eq!(Key::from_text(&(at, id).to_text()), Some((at, id)));
        assert_eq!(<(DateTime<Utc>, Uuid)>::from_text(&id.to_text()), None);
        assert_eq!(Uuid::from_text(&(at, id).to_text()), None);
    }

    #[test]
    fn a_page_is_short_only_at_the_end() {
        let cursors = Cursors::new(&[1; 32]);
        let query = PageQuery {
            limit: Limit(2),
            cursor: None,
        };
        let request = PageRequest::new(&cursors, "/v1/feed", Uuid::nil(), &query).unwrap();
        let ids: Vec<_> = (1..=3).map(Uuid::from_u128).collect();
        let (page, link) = request.fill(ids.clone(), |id| *id);
        assert_eq!(page.items, ids[..2]);
        let cursor = page.next_cursor.unwrap();
        assert_eq!(link, Some(format!("/v1/feed?limit=2&cursor={cursor}")));
        let query = PageQuery {
            limit: Limit(2),
            cursor: Some(cursor),
        };
        let request = PageRequest::new(&cursors, "/v1/feed", Uuid::nil(), &query).unwrap();
        assert_eq!(request.after(), Some(ids[1]));
        let (page, link) = request.fill(ids[1..].to_vec(), |id| *id);
        assert_eq!((page.items.len(), page.next_cursor, link), (2, None, None));
    }
}
