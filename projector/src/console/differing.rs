//! A row that differs, field by field.

use serde_json::{Map, Value};

use crate::{history::hide_texts, rebuild::progress::DifferingRow};

/// A field of a row, without people's texts.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub text: String,
    /// Both rows exist, and the other one has another value, which may be hidden and of the same length.
    pub differs: bool,
}

/// The live row, and the one that follows from the log. None where there is no row.
pub fn fields(row: &DifferingRow) -> [Option<Vec<Field>>; 2] {
    let (live, log) = (row.live.as_ref(), row.log.as_ref());
    let of = |one: Option<&Value>, other: Option<&Value>| {
        let one = one?.as_object()?;
        Some(compared(one, other.and_then(Value::as_object)))
    };
    [of(live, log), of(log, live)]
}

fn compared(row: &Map<String, Value>, other: Option<&Map<String, Value>>) -> Vec<Field> {
    let hidden = hide_texts(Value::Object(row.clone()));
    let field = |(name, value): (&String, &Value)| Field {
        name: name.clone(),
        text: value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned),
        differs: other.is_some_and(|other| other.get(name) != row.get(name)),
    };
    hidden
        .as_object()
        .into_iter()
        .flatten()
        .map(field)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hidden_text_differs_even_if_its_length_does_not() {
        let row = DifferingRow {
            live: Some(json!({"handle": "ann", "posts": 1, "text": "one"})),
            log: Some(json!({"handle": "ann", "posts": 1, "text": "two"})),
        };
        let field = |name: &str, text: &str, differs| Field {
            name: name.to_owned(),
            text: text.to_owned(),
            differs,
        };
        let expected = || {
            Some(vec![
                field("handle", "ann", false),
                field("posts", "1", false),
                field("text", "[hidden: 3 characters]", true),
            ])
        };
        assert_eq!(fields(&row), [expected(), expected()]);
        let missing = DifferingRow { live: None, ..row };
        let [live, log] = fields(&missing);
        assert!(live.is_none() && log.unwrap().iter().all(|field| !field.differs));
    }
}
