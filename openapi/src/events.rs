//! `docs/events.schema.json`: the lines of `projector events dump`, as a JSON Schema that is made from the events' structs.

use feedmill_events::{PARTITIONS, event};
use serde_json::{Map, Value, json};

/// The committed text.
pub fn text() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&schema())? + "\n")
}

/// A line, whose type and version decide what its `data` is. `$defs` has the payload of every version that was ever written,
/// by `<type>.v<version>`.
fn schema() -> Value {
    let (mut payloads, mut newest) = (Map::new(), Map::new());
    for (name, version, schema) in event::schemas() {
        let key = format!("{name}.v{version}");
        payloads.insert(key.clone(), payload(schema.into(), &key));
        // Ascending, so that the newest version is the one that stays.
        newest.insert(name.to_owned(), json!([version, key]));
    }
    let lines: Vec<_> = newest
        .iter()
        .map(|(name, newest)| {
            let (version, key) = (&newest[0], newest[1].as_str().unwrap_or_default());
            json!({"properties": {
                "type": {"const": name},
                "version": {"const": version},
                "data": {"$ref": format!("#/$defs/{key}")},
            }})
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Event",
        "description": "A line of `projector events dump`: an event of the log, in the newest version of its type. Times in \
            payloads are Unix milliseconds.",
        "type": "object",
        "properties": {
            "partition": {"type": "integer", "minimum": 0, "maximum": PARTITIONS - 1},
            "seq": {"type": "integer", "minimum": 1, "description": "The place in the partition, without gaps."},
            "at": {"type": "string", "format": "date-time", "description": "When the command was decided, or the time of an imported record."},
            "type": {"enum": newest.keys().collect::<Vec<_>>()},
            "version": {"type": "integer", "minimum": 1},
            "trace": {"type": ["string", "null"], "description": "The W3C `traceparent` of the request that caused it."},
            "data": {"type": "object"},
        },
        "required": ["partition", "seq", "at", "type", "version", "data"],
        "oneOf": lines,
        "$defs": payloads,
    })
}

/// A payload's schema as a definition of the whole: with its own definitions inlined, and no fields that it does not name.
fn payload(mut schema: Value, key: &str) -> Value {
    let own = schema["$defs"].take();
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        schema.remove("$defs");
        schema.insert("title".to_owned(), key.into());
    }
    inline(&mut schema, &own);
    schema
}

fn inline(value: &mut Value, definitions: &Value) {
    let name = value["$ref"]
        .as_str()
        .and_then(|it| it.strip_prefix("#/$defs/"));
    if let Some(name) = name {
        *value = definitions[name].clone();
    }
    match value {
        Value::Object(members) => {
            members.insert("additionalProperties".to_owned(), false.into());
            if !members.contains_key("properties") {
                members.remove("additionalProperties");
            }
            members
                .values_mut()
                .for_each(|value| inline(value, definitions));
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|value| inline(value, definitions)),
        _ => {}
    }
}
