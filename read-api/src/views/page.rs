//! Pages of lists.

use std::borrow::Cow;

use feedmill_service::openapi::from_json;
use serde::Serialize;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// One page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// None on the last page.
    pub next_cursor: Option<String>,
    /// For what precedes the page; None if there is nothing that it could precede.
    pub prev_cursor: Option<String>,
}

impl<T> Page<T> {
    pub fn map<U>(self, map: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(map).collect(),
            next_cursor: self.next_cursor,
            prev_cursor: self.prev_cursor,
        }
    }
}

/// Derived, it would repeat the schema of the item in that of the page.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let item = format!("#/components/schemas/{}", T::name());
        from_json(json!({
            "type": "object",
            "required": ["items", "next_cursor", "prev_cursor"],
            "properties": {
                "items": {"type": "array", "items": {"$ref": item}, "maxItems": 100},
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "The cursor of the next page. Only `null` means the end of the list.",
                },
                "prev_cursor": {
                    "type": ["string", "null"],
                    "description": "The cursor of what precedes the page, also of what will: on the first page of a list \
                                    that has the newest first, what is newer. `null` only in an empty first page.",
                },
            },
        }))
    }
}

/// Such as `PostPage`.
impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into(), T::schema()));
        T::schemas(schemas);
    }
}

/// One page of a list whose length is known.
#[derive(Debug, Clone, Serialize)]
pub struct CountedPage<T> {
    #[serde(flatten)]
    pub page: Page<T>,
    pub total: i64,
}

impl<T: ToSchema> PartialSchema for CountedPage<T> {
    fn schema() -> RefOr<Schema> {
        let page = format!("#/components/schemas/{}", Page::<T>::name());
        from_json(json!({
            "description": "A page, and how many items there are.",
            "allOf": [
                {"$ref": page},
                {
                    "type": "object",
                    "required": ["total"],
                    "properties": {
                        "total": {
                            "type": "integer",
                            "format": "int64",
                            "minimum": 0,
                            "description": "How many items there are on all pages.",
                        },
                    },
                },
            ],
        }))
    }
}

/// Such as `FollowList`.
impl<T: ToSchema> ToSchema for CountedPage<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Page::<T>::name().into(), Page::<T>::schema()));
        Page::<T>::schemas(schemas);
    }
}
