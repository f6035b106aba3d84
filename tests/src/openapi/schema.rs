//! Whether a value has a schema: the part of JSON Schema that `docs/openapi.json` uses. A member that the schema does not have
//! is an error.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{members, resolve};

/// The error names the place in the value.
pub fn check(schema: &'static Value, value: &Value) -> Result<(), String> {
    check_parts(schema, value)?;
    let known = properties(schema);
    let Some(object) = value.as_object().filter(|_| !known.is_empty()) else {
        return Ok(());
    };
    match object.keys().find(|name| !known.contains(name.as_str())) {
        Some(name) => Err(format!("{name} is not described")),
        None => Ok(()),
    }
}

/// The same, if other parts of the schema may describe further members.
fn check_parts(schema: &'static Value, value: &Value) -> Result<(), String> {
    let schema = resolve(schema);
    for part in array(schema, "allOf") {
        check_parts(part, value)?;
    }
    if schema.get("oneOf").is_some() {
        let results: Vec<_> = array(schema, "oneOf")
            .map(|variant| check_parts(variant, value))
            .collect();
        if results.iter().filter(|result| result.is_ok()).count() != 1 {
            return Err(format!("not one of the variants: {results:?}"));
        }
    }
    check_type(schema, value)?;
    if schema.get("enum").is_some() && !array(schema, "enum").any(|known| known == value) {
        return Err(format!("{value} is not listed"));
    }
    check_bounds(schema, value)?;
    if let Some(object) = value.as_object() {
        for name in array(schema, "required").filter_map(Value::as_str) {
            if !object.contains_key(name) {
                return Err(format!("{name} is missing"));
            }
        }
        for (name, property) in members(&schema["properties"]) {
            if let Some(value) = object.get(name) {
                check(property, value).map_err(|error| format!("{name}: {error}"))?;
            }
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (index, value) in values.iter().enumerate() {
            check(items, value).map_err(|error| format!("{index}: {error}"))?;
        }
    }
    Ok(())
}

fn check_type(schema: &'static Value, value: &Value) -> Result<(), String> {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(types) => types.iter().any(|known| known == found),
        known => known == found,
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{value} is not of type {}", schema["type"]))
    }
}

fn check_bounds(schema: &Value, value: &Value) -> Result<(), String> {
    let size = match value {
        Value::String(text) => text.chars().count() as f64,
        Value::Array(items) => items.len() as f64,
        Value::Number(number) => number.as_f64().unwrap_or_default(),
        _ => return Ok(()),
    };
    let bound = |names: [&str; 3]| {
        let name = match value {
            Value::String(_) => names[0],
            Value::Array(_) => names[1],
            _ => names[2],
        };
        schema[name].as_f64()
    };
    let is_below = bound(["minLength", "minItems", "minimum"]).is_some_and(|min| size < min);
    let is_above = bound(["maxLength", "maxItems", "maximum"]).is_some_and(|max| size > max);
    if is_below || is_above {
        return Err(format!("{value} is out of bounds"));
    }
    let is_formatted = match (schema["format"].as_str(), value.as_str()) {
        (Some("uuid"), Some(id)) => id.parse::<uuid::Uuid>().is_ok(),
        (Some("date-time"), Some(time)) => {
            chrono::DateTime::parse_from_rfc3339(time).is_ok() && time.ends_with('Z')
        }
        _ => true,
    };
    if is_formatted {
        Ok(())
    } else {
        Err(format!("{value} is no {}", schema["format"]))
    }
}

/// The names of all members that the schema describes.
fn properties(schema: &'static Value) -> BTreeSet<&'static str> {
    let schema = resolve(schema);
    let parts = array(schema, "allOf").chain(array(schema, "oneOf"));
    let own = members(&schema["properties"]).map(|(name, _)| name.as_str());
    own.chain(parts.flat_map(properties)).collect()
}

fn array(schema: &'static Value, name: &str) -> impl Iterator<Item = &'static Value> + use<> {
    schema[name].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check_json(schema: Value, value: &Value) -> Result<(), String> {
        check(Box::leak(Box::new(schema)), value)
    }

    #[test]
    fn a_value_has_the_members_of_its_schema_and_no_others() {
        let schema = || {
            json!({
                "allOf": [{"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}}}],
                "properties": {"count": {"type": ["integer", "null"], "minimum": 0}},
            })
        };
        let id = "019f6a00-3b9e-7c31-8a52-6f2d1c0b4e8a";
        for good in [json!({"id": id}), json!({"id": id, "count": null})] {
            assert_eq!(check_json(schema(), &good), Ok(()));
        }
        for bad in [
            json!({}),
            json!({"id": 1}),
            json!({"id": "x"}),
            json!({"id": id, "count": -1}),
            json!({"id": id, "count": 1.5}),
            json!({"id": id, "more": 1}),
        ] {
            assert!(check_json(schema(), &bad).is_err(), "{bad}");
        }
    }
}
