//! Parsing JSON, and mapping serde's messages to fields.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::problem::{Problem, codes};

/// Of a field's path, and of the message about it.
const MAX_CHARACTERS: usize = 300;

/// Parses a JSON object. Errors: 400 `malformed_json` if it is not JSON, 422 that names the field if it does not match
/// `T`. An array is refused, although serde would accept it for a struct.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| malformed(format!("byte {} is not UTF-8", error.valid_up_to() + 1)))?;
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() {
        return Err(malformed("the body is empty, must be a JSON object"));
    }
    if !text.starts_with('{') {
        return Err(match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Problem::field("", "must be a JSON object"),
            Err(error) => malformed(error.to_string()),
        });
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        match error.classify() {
            Category::Data => mismatch(&path, &without_location(&error)),
            _ => malformed(error.to_string()),
        }
    })?;
    deserializer
        .end()
        .map_err(|error| malformed(error.to_string()))?;
    Ok(value)
}

fn malformed(reason: impl std::fmt::Display) -> Problem {
    Problem::new(
        codes::MALFORMED_JSON,
        format!("the body is not JSON: {reason}"),
    )
}

fn without_location(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let location = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&location).unwrap_or(&text).to_owned()
}

/// 422 for serde's `message` about the value at `path`. serde reports a missing, duplicate or unknown field with the
/// path of the object that it belongs to; the problem names the field itself.
pub(super) fn mismatch(path: &str, message: &str) -> Problem {
    let path = if path == "." || path == "?" { "" } else { path };
    let join = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    let (field, message) = if let Some(name) = quoted(message, "missing field `") {
        (join(name), "is missing".to_owned())
    } else if let Some(name) = quoted(message, "duplicate field `") {
        (join(name), "is given more than once".to_owned())
    } else if let Some(name) = quoted(message, "unknown field `") {
        let field = if path.ends_with(name) {
            path.to_owned()
        } else {
            join(name)
        };
        (
            field,
            message.replacen(&format!("unknown field `{name}`"), "is not known", 1),
        )
    } else {
        (path.to_owned(), message.to_owned())
    };
    Problem::field(shortened(field), shortened(message))
}

/// A client's names and values are repeated, but not at any length.
fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARACTERS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn quoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.split('`').next()
}
