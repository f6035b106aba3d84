//! Names for the variants of a schema.
//!
//! Generators of clients make types from names: of a variant without one they make `StreamEventType0`, and some cannot combine
//! a `oneOf` with other properties in an `allOf`.

use serde_json::{Map, Value, json};

/// Gives the variants of each tagged union names of their own, such as `FollowNotification`. Properties that all variants have
/// go into each of them.
pub fn name_variants(schemas: &mut Map<String, Value>) {
    flatten_unions(schemas);
    let unions = schemas.iter().filter(|(_, schema)| is_union(schema));
    let unions: Vec<_> = unions.map(|(name, _)| name.clone()).collect();
    for union in unions {
        let variants = schemas[&union]["oneOf"].take();
        let mut references = vec![];
        for variant in array(&variants) {
            let tag = tag(variant).expect("a variant of a tagged union");
            let name = format!("{}{union}", pascal_case(tag));
            references.push(reference(&name));
            schemas.insert(name, variant.clone());
        }
        schemas[&union]["oneOf"] = references.into();
    }
}

/// Replaces a union and further properties, `allOf: [union, object]`, by a union whose variants have the properties. The union
/// that it was made from is removed: serde's `flatten` makes one for this purpose only.
fn flatten_unions(schemas: &mut Map<String, Value>) {
    let names: Vec<_> = schemas.keys().cloned().collect();
    for name in names {
        // One that was flattened is gone.
        let parts = schemas.get(&name).map(|schema| array(&schema["allOf"]));
        let Some([part, object]) = parts else {
            continue;
        };
        let inner = part["$ref"].as_str().unwrap_or_default();
        let inner = inner.rsplit('/').next().unwrap_or_default().to_owned();
        let Some(union) = schemas.get(&inner).filter(|union| is_union(union)) else {
            continue;
        };
        let variants = array(&union["oneOf"]).iter();
        let variants: Vec<_> = variants.map(|variant| merge(variant, object)).collect();
        let description = schemas[&name]["description"].clone();
        schemas.insert(name, json!({"description": description, "oneOf": variants}));
        schemas.remove(&inner);
    }
}

/// The variant with the properties of the object, too.
fn merge(variant: &Value, object: &Value) -> Value {
    let mut merged = variant.clone();
    let properties = object["properties"].as_object().into_iter().flatten();
    for (name, property) in properties {
        merged["properties"][name] = property.clone();
    }
    let required = [array(&variant["required"]), array(&object["required"])];
    merged["required"] = required.concat().into();
    merged
}

/// Whether it consists of objects that a tag tells apart.
fn is_union(schema: &Value) -> bool {
    let variants = array(&schema["oneOf"]);
    !variants.is_empty() && variants.iter().all(|variant| tag(variant).is_some())
}

/// The value of the property of the variant that has only one.
fn tag(variant: &Value) -> Option<&str> {
    let mut properties = variant["properties"].as_object()?.values();
    properties.find_map(|property| match array(&property["enum"]) {
        [tag] => tag.as_str(),
        _ => None,
    })
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn pascal_case(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flattened_union_becomes_variants_with_names() {
        let variant = |tag: &str| json!({"type": "object", "required": ["type"], "properties": {"type": {"type": "string", "enum": [tag]}}});
        let mut schemas = json!({
            "Act": {"oneOf": [variant("like"), variant("new_follow")]},
            "Notice": {"description": "It.", "allOf": [
                {"$ref": "#/components/schemas/Act"},
                {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
            ]},
        });
        let schemas = schemas.as_object_mut().expect("an object");
        name_variants(schemas);
        let names: Vec<_> = schemas.keys().map(String::as_str).collect();
        assert_eq!(names, ["LikeNotice", "NewFollowNotice", "Notice"]);
        let notice = json!({"description": "It.", "oneOf": [reference("LikeNotice"), reference("NewFollowNotice")]});
        assert_eq!(schemas["Notice"], notice);
        let like = json!({"type": "object", "required": ["type", "id"], "properties": {
            "type": {"type": "string", "enum": ["like"]},
            "id": {"type": "string"},
        }});
        assert_eq!(schemas["LikeNotice"], like);
    }
}
