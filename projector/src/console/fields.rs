//! The fields of a form or of a query string.

use std::collections::BTreeMap;

use axum::{extract::FromRequestParts, http::request::Parts};
use feedmill_events::Partition;

use super::error::PageError;

/// The longest reason and the like.
pub const MAX_CHARACTERS: usize = 500;

/// By name. Empty fields count as missing.
#[derive(Debug, Clone, Default)]
pub struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Errors: a field is there twice.
    pub fn parse(form: &[u8]) -> Result<Self, PageError> {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(form) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            if fields
                .insert(name.clone().into_owned(), value.to_owned())
                .is_some()
            {
                return Err(PageError::field(&name, "is there twice"));
            }
        }
        Ok(Self(fields))
    }

    /// The text as it was written, for the form that shows it again.
    pub fn raw(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Errors: too long, or control characters.
    pub fn text(&self, name: &str) -> Result<Option<String>, PageError> {
        let Some(text) = self.0.get(name) else {
            return Ok(None);
        };
        if text.chars().count() > MAX_CHARACTERS {
            return Err(PageError::field(
                name,
                &format!("has more than {MAX_CHARACTERS} characters"),
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(PageError::field(name, "has control characters"));
        }
        Ok(Some(text.clone()))
    }

    /// Errors: also missing.
    pub fn required(&self, name: &str) -> Result<String, PageError> {
        self.text(name)?
            .ok_or_else(|| PageError::field(name, "is missing"))
    }

    /// Parses a field. Errors: what `parse` says about it.
    pub fn parsed<T, E: ToString>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, PageError> {
        let parse =
            |text: &String| parse(text).map_err(|error| PageError::field(name, &error.to_string()));
        self.0.get(name).map(parse).transpose()
    }

    /// As the query string of a link: the fields of these names, and more.
    pub fn query_string(&self, names: &[&str], more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for name in names.iter().filter(|name| self.is_set(name)) {
            query.append_pair(name, self.raw(name));
        }
        query.extend_pairs(more);
        query.finish()
    }

    pub fn partition(&self, name: &str) -> Result<Option<Partition>, PageError> {
        self.parsed(name, crate::command::common::partition)
    }

    /// Errors: anything but a number of at least `min`.
    pub fn number(&self, name: &str, min: i64) -> Result<Option<i64>, PageError> {
        self.parsed(name, |text| {
            let number = text.parse().ok().filter(|number| *number >= min);
            number.ok_or_else(|| format!("is not a number from {min} on"))
        })
    }
}

/// The fields of a form, or of the query string of a GET.
impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageError> {
        match parts.extensions.get::<Self>() {
            Some(form) => Ok(form.clone()),
            None => Self::parse(parts.uri.query().unwrap_or_default().as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T, PageError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_field_is_named() {
        let fields =
            Fields::parse(b"reason=+too+%26+fro+&empty=&partition=64&seq=x&line=a%0Ab").unwrap();
        assert_eq!(fields.text("reason").unwrap().as_deref(), Some("too & fro"));
        assert_eq!(fields.text("empty").unwrap(), None);
        assert!(message(fields.required("empty")).starts_with("empty is missing"));
        assert!(message(fields.partition("partition")).starts_with("partition: "));
        assert!(message(fields.number("seq", 1)).starts_with("seq is not a number"));
        assert!(message(fields.text("line")).starts_with("line has control"));
        let long = format!("reason={}", "x".repeat(MAX_CHARACTERS + 1));
        assert!(message(Fields::parse(long.as_bytes()).unwrap().text("reason")).contains("500"));
        assert!(message(Fields::parse(b"a=1&a=2")).starts_with("a is there twice"));
    }
}
