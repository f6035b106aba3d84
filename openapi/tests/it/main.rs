//! The document is up to date, and says the same as the code.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use feedmill_events::{Envelope, EventType};
use feedmill_service::problem::codes;
use openapi::{ALL, EVENTS, OPENAPI};
use serde_json::Value;

fn generated() -> Value {
    serde_json::from_str(&(OPENAPI.text)().unwrap()).unwrap()
}

#[test]
fn the_committed_documents_are_up_to_date() {
    for description in ALL {
        let committed = fs::read_to_string(description.file()).unwrap_or_default();
        assert!(
            committed == (description.text)().unwrap(),
            "docs/{} is out of date: run `cargo run -p openapi` and commit it",
            description.name
        );
    }
}

#[test]
fn every_code_is_the_answer_of_an_operation() {
    let document = generated();
    let responses = document["components"]["responses"].as_object().unwrap();
    let mut answered: BTreeSet<_> = responses
        .values()
        .map(|response| &response["content"]["application/problem+json"]["schema"])
        .flat_map(|schema| match schema["oneOf"].as_array() {
            Some(schemas) => schemas.iter().collect(),
            None => vec![schema],
        })
        .filter_map(|schema| schema["$ref"].as_str()?.rsplit('/').next())
        .map(|name| &document["components"]["schemas"][name]["allOf"][1])
        .filter_map(|schema| schema["properties"]["code"]["enum"][0].as_str())
        .collect();
    // Of a method that is no operation.
    answered.insert(codes::METHOD_NOT_ALLOWED.name());
    let schema = &document["components"]["schemas"]["ProblemCode"];
    let listed = schema["enum"].as_array().into_iter().flatten();
    let listed: BTreeSet<_> = listed.filter_map(Value::as_str).collect();
    assert_eq!(answered, listed);
}

/// Nothing else would tell: a constant that is public, and in a list, is not dead code.
#[test]
fn every_code_is_used() {
    let mut lines = vec![];
    for service in ["service", "write-api", "read-api"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(service);
        for file in files(&folder.join("src")) {
            if file.ends_with("openapi.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            lines.extend(text.lines().map(|line| line.trim().to_owned()));
        }
    }
    let is_constant = |word: &str| word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let defined = lines.iter().filter_map(|line| {
        let (name, rest) = line.split_once(" = ")?;
        let (status, name_of_code) = rest.split_once(", \"")?;
        let is_code = is_constant(name) && is_constant(status) && name_of_code.ends_with("\";");
        is_code.then_some((line, name))
    });
    let defined: Vec<_> = defined.collect();
    let lists = [codes::ALL, write_api::http::problem::ALL, read_api::CODES];
    assert_eq!(defined.len(), lists.concat().len());
    for (definition, name) in defined {
        let is_other = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let mut others = lines
            .iter()
            .filter(|line| *line != definition && !line.starts_with("//"));
        assert!(
            others.any(|line| line.split(is_other).any(|word| word == name)),
            "no problem has the code {name}"
        );
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn every_operation_is_named_and_described() {
    let document = generated();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            let name = operation["operationId"].as_str().expect("an operationId");
            let is_camel_case = name.chars().all(|c| c.is_ascii_alphanumeric())
                && name.starts_with(|c: char| c.is_ascii_lowercase());
            assert!(is_camel_case && names.insert(name), "{what}: {name}");
            assert!(operation["summary"].is_string(), "{what}");
            assert_eq!(
                operation["tags"].as_array().map(Vec::len),
                Some(1),
                "{what}"
            );
            assert_eq!(
                operation["servers"].as_array().map(Vec::len),
                Some(1),
                "{what}"
            );
        }
    }
}

/// The golden bytes are of every version that was ever written; a line of `events dump` has the newest one.
#[test]
fn every_event_has_the_fields_of_its_schema() {
    let schema: Value = serde_json::from_str(&(EVENTS.text)().unwrap()).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/tests/golden.txt");
    let mut checked = BTreeSet::new();
    for line in fs::read_to_string(golden).unwrap().lines() {
        let (_, hexadecimal) = line.split_once(' ').unwrap();
        let digits = hexadecimal.as_bytes().chunks(2);
        let bytes = digits.map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap());
        let event = Envelope::decode(&bytes.collect::<Vec<_>>()).unwrap().event;
        let key = format!("{}.v{}", event.event_type(), event.event_type().version());
        let names = |value: &Value| -> Vec<String> {
            let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        let data = serde_json::to_value(&event).unwrap();
        assert_eq!(
            names(&data),
            names(&schema["$defs"][&key]["properties"]),
            "{key}"
        );
        checked.insert(event.event_type());
    }
    assert_eq!(checked.len(), EventType::ALL.len());
}
