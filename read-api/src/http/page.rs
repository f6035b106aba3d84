//! Pages of a list: the parameters `limit` and `cursor`, and the cursors and links to the pages beside it.

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{cursor::Cursors, sort_key::SortKey};
use crate::{cache::answers, error::Error, seek::Seek, views::Page};

/// The query parameters of every list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items the page has at most.
    #[serde(default)]
    #[param(required = false, value_type = u8, minimum = 1, maximum = 100, default = 20)]
    limit: Limit,
    /// A cursor of another page of this list. Without one, or with an empty one, it is the first page.
    #[serde(default)]
    #[param(required = false)]
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

/// The request for a page.
#[derive(Debug)]
pub struct PageRequest<'a, K> {
    cursors: &'a Cursors,
    path: Cow<'static, str>,
    viewer: Uuid,
    limit: u8,
    seek: Seek<K>,
}

impl<'a, K: SortKey> PageRequest<'a, K> {
    /// `path` identifies the list, however the client wrote it. It may have a query. Errors: a cursor of another list or viewer.
    pub fn new(
        cursors: &'a Cursors,
        path: impl Into<Cow<'static, str>>,
        viewer: Uuid,
        query: &PageQuery,
    ) -> Result<Self, Error> {
        let path = path.into();
        let seek = match query.cursor.as_str() {
            "" => Seek::Start,
            cursor => cursors
                .verify(&path, viewer, cursor)
                .and_then(Seek::from_text)
                .ok_or(Error::Cursor)?,
        };
        Ok(Self {
            cursors,
            path,
            viewer,
            limit: query.limit.0,
            seek,
        })
    }

    pub fn viewer(&self) -> Uuid {
        self.viewer
    }

    pub fn seek(&self) -> Seek<K> {
        self.seek
    }

    /// The cache key of the page. It has the viewer even if the list is the same for everyone, because its cursors do.
    pub fn cache_key(&self) -> answers::Key {
        answers::Key {
            viewer: Some(self.viewer),
            path: self.path.clone(),
            limit: self.limit,
            seek: self.seek.to_text().map(String::into_boxed_str),
        }
    }

    /// How many rows to read: one more than the page has, which tells whether there are more items in its direction.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page of up to [`rows`](Self::rows) items, which are in the order of the list, and its `Link`.
    ///
    /// There is always a cursor back, also on the first page: something new may precede its first item later. The link
    /// back is only there if something is known to precede the page.
    pub fn page<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> (Page<T>, String) {
        let surplus = items.len().saturating_sub(self.limit.into());
        let (follows, precedes) = match self.seek {
            Seek::Start | Seek::After(_) => {
                items.truncate(self.limit.into());
                (surplus > 0, self.seek.key().is_some())
            }
            Seek::Before(_) => {
                items.drain(..surplus);
                (!items.is_empty(), surplus > 0)
            }
        };
        let last = items.last().filter(|_| follows);
        let next_cursor = last.and_then(|last| self.cursor(Seek::After(key(last))));
        let first = items.first().map(key).or(self.seek.key());
        let prev_cursor = first.and_then(|first| self.cursor(Seek::Before(first)));
        let mut link = self.link("first", None);
        if let Some(cursor) = &next_cursor {
            link = link + ", " + &self.link("next", Some(cursor));
        }
        if let Some(cursor) = prev_cursor.as_ref().filter(|_| precedes) {
            link = link + ", " + &self.link("prev", Some(cursor));
        }
        let page = Page {
            items,
            next_cursor,
            prev_cursor,
        };
        (page, link)
    }

    fn cursor(&self, seek: Seek<K>) -> Option<String> {
        let text = seek.to_text()?;
        Some(self.cursors.sign(&self.path, self.viewer, &text))
    }

    /// RFC 8288.
    fn link(&self, rel: &str, cursor: Option<&str>) -> String {
        let (path, limit) = (&self.path, self.limit);
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("<{path}{separator}limit={limit}{cursor}>; rel=\"{rel}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(cursors: &'a Cursors, cursor: &str) -> PageRequest<'a, Uuid> {
        let query = PageQuery {
            limit: Limit(2),
            cursor: cursor.to_owned(),
        };
        PageRequest::new(cursors, "/v1/feed", Uuid::nil(), &query).unwrap()
    }

    fn link(rel: &str, cursor: &str) -> String {
        format!("<{cursor}>; rel=\"{rel}\"").replace('<', "</v1/feed?limit=2&cursor=")
    }

    const FIRST: &str = "</v1/feed?limit=2>; rel=\"first\"";

    #[test]
    fn a_list_is_walked_to_its_end_and_back() {
        let cursors = Cursors::new(&[1; 32]);
        let ids: Vec<_> = (1..=5).map(Uuid::from_u128).collect();
        let page = |cursor: &str, items: &[Uuid]| {
            let request = request(&cursors, cursor);
            let (page, link) = request.page(items.to_vec(), |id| *id);
            (request.seek(), page, link)
        };
        let (seek, first, link_of_first) = page("", &ids[..3]);
        let next = first.next_cursor.unwrap();
        assert_eq!((seek, first.items), (Seek::Start, ids[..2].to_vec()));
        assert_eq!(link_of_first, format!("{FIRST}, {}", link("next", &next)));
        let newer = first.prev_cursor.unwrap();
        assert_eq!(request(&cursors, &newer).seek(), Seek::Before(ids[0]));

        let (seek, second, link_of_second) = page(&next, &ids[2..5]);
        assert_eq!(
            (seek, second.items),
            (Seek::After(ids[1]), ids[2..4].to_vec())
        );
        let (next, prev) = (second.next_cursor.unwrap(), second.prev_cursor.unwrap());
        let links = [FIRST, &link("next", &next), &link("prev", &prev)];
        assert_eq!(link_of_second, links.join(", "));

        let (_, last, link_of_last) = page(&next, &ids[4..]);
        assert_eq!((last.items, last.next_cursor), (ids[4..].to_vec(), None));
        let prev = last.prev_cursor.unwrap();
        assert_eq!(link_of_last, format!("{FIRST}, {}", link("prev", &prev)));

        // Two of the four items before the last one, and one more row.
        let (seek, back, link_of_back) = page(&prev, &ids[1..4]);
        assert_eq!(
            (seek, back.items),
            (Seek::Before(ids[4]), ids[2..4].to_vec())
        );
        let (next, prev) = (back.next_cursor.unwrap(), back.prev_cursor.unwrap());
        assert_eq!(request(&cursors, &next).seek(), Seek::After(ids[3]));
        let links = [FIRST, &link("next", &next), &link("prev", &prev)];
        assert_eq!(link_of_back, links.join(", "));

        let (_, start, link_of_start) = page(&prev, &ids[..2]);
        let next = start.next_cursor.unwrap();
        assert_eq!(start.items, ids[..2]);
        assert_eq!(link_of_start, format!("{FIRST}, {}", link("next", &next)));
    }

    #[test]
    fn an_empty_page_leads_back_to_where_it_is() {
        let cursors = Cursors::new(&[1; 32]);
        let empty = |cursor: &str| {
            request(&cursors, cursor)
                .page(Vec::<Uuid>::new(), |id| *id)
                .0
        };
        let start = empty("");
        assert_eq!((start.next_cursor, start.prev_cursor), (None, None));
        let sign = |text: String| cursors.sign("/v1/feed", Uuid::nil(), &text);
        let id = Uuid::from_u128(7).to_string();
        let back = sign(format!("~{id}"));
        for cursor in [sign(id), back.clone()] {
            let page = empty(&cursor);
            assert_eq!(page.next_cursor, None);
            assert_eq!(page.prev_cursor, Some(back.clone()));
        }
    }
}
