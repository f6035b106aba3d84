//! Hides what people wrote.

use chrono::{DateTime, NaiveDate};
use serde_json::Value;
use uuid::Uuid;

/// The fields whose strings are not written by people: names of variants, and handles, which are public.
const VISIBLE_FIELDS: [&str; 4] = ["handle", "audience", "default_audience", "who_may_message"];

/// The fields with what people wrote, which may look like an id or a time.
const TEXT_FIELDS: [&str; 5] = ["text", "display_name", "bio", "title", "name"];

/// Replaces all strings but ids, times and `VISIBLE_FIELDS` by their lengths. So a new field with a text is hidden, too.
pub fn hide_texts(value: Value) -> Value {
    match value {
        Value::String(text) if is_visible(&text) => Value::String(text),
        Value::String(text) => hidden(&text),
        Value::Array(items) => items.into_iter().map(hide_texts).collect(),
        Value::Object(fields) => {
            let hide = |(name, value): (String, Value)| {
                let value = match value {
                    value if VISIBLE_FIELDS.contains(&name.as_str()) => value,
                    Value::String(text) if TEXT_FIELDS.contains(&name.as_str()) => hidden(&text),
                    value => hide_texts(value),
                };
                (name, value)
            };
            Value::Object(fields.into_iter().map(hide).collect())
        }
        other => other,
    }
}

fn hidden(text: &str) -> Value {
    match text.chars().count() {
        0 => "".into(),
        characters => format!("[hidden: {characters} characters]").into(),
    }
}

fn is_visible(text: &str) -> bool {
    text.is_empty()
        || Uuid::try_parse(text).is_ok()
        || DateTime::parse_from_rfc3339(text).is_ok()
        || text.parse::<NaiveDate>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_ids_times_handles_and_names_of_variants_stay() {
        let id = "0191b3a4-0000-7000-8000-000000000001";
        let shown = json!({
            "post": id, "author": id, "handle": "ann", "audience": "Connections", "reply_to": {"post": id},
            "created_at": "2026-01-31T12:00:00+00:00", "day": "2026-01-31", "seq": 5, "title": null, "bio": "",
        });
        assert_eq!(hide_texts(shown.clone()), shown);
        let hidden = hide_texts(
            json!({"text": "salt & pépper", "names": ["x"], "audience": {"Tags": [id]}}),
        );
        let expected = json!({
            "text": "[hidden: 13 characters]", "names": ["[hidden: 1 characters]"], "audience": {"Tags": [id]},
        });
        assert_eq!(hidden, expected);
        let date = hide_texts(json!({"text": "2026-01-31", "bio": id, "day": "2026-01-31"}));
        let expected = json!({
            "text": "[hidden: 10 characters]", "bio": "[hidden: 36 characters]", "day": "2026-01-31",
        });
        assert_eq!(date, expected);
    }
}
