//! The description of the API, `docs/openapi.json`, and whether an answer is as it says. [`Client`](crate::client::Client)
//! checks every answer, so that each test is also one of the description.

mod schema;

use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::{client::Answer, endpoints::Service};

/// Headers of any response, which the document does not name, or not everywhere: a read that has waited says so in its problems,
/// too, and `Vary` is in all responses if browsers may call the API. (Then there are others, too: `access-control-…`.)
const COMMON_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "date",
    "preference-applied",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
];

/// The whole document.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json"));
        serde_json::from_str(text).expect("docs/openapi.json is JSON")
    })
}

/// An operation of the document.
pub struct Operation {
    pub service: Service,
    /// In upper case.
    pub method: String,
    pub path: &'static str,
    /// The path's.
    segments: Vec<&'static str>,
    value: &'static Value,
}

impl Operation {
    pub fn needs_token(&self) -> bool {
        let security = self.value["security"].as_array();
        security.is_some_and(|security| !security.is_empty())
    }

    fn of(path: &'static str, method: &str, value: &'static Value) -> Self {
        let service = match value["servers"][0]["description"].as_str() {
            Some("write-api") => Service::WriteApi,
            Some("read-api") => Service::ReadApi,
            other => panic!("{method} {path} is served by {other:?}"),
        };
        Self {
            service,
            method: method.to_uppercase(),
            path,
            segments: path.split('/').collect(),
            value,
        }
    }
}

/// Every operation.
pub fn operations() -> &'static [Operation] {
    static OPERATIONS: OnceLock<Vec<Operation>> = OnceLock::new();
    let methods = |(path, item): (&'static String, &'static Value)| {
        let operations = members(item);
        operations.map(move |(method, operation)| Operation::of(path, method, operation))
    };
    OPERATIONS.get_or_init(|| members(&document()["paths"]).flat_map(methods).collect())
}

fn members(value: &'static Value) -> impl Iterator<Item = (&'static String, &'static Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// The object that a `$ref` names, or the value itself.
fn resolve(value: &'static Value) -> &'static Value {
    let Some(reference) = value["$ref"].as_str() else {
        return value;
    };
    let found = document().pointer(reference.trim_start_matches('#'));
    resolve(found.unwrap_or_else(|| panic!("docs/openapi.json has no {reference}")))
}

/// How an answer of one of these services differs from what the document says. Nothing is known of paths and methods that
/// are no operations.
pub fn check(
    services: &[Service],
    method: &str,
    path: &str,
    answer: &Answer,
) -> Result<(), String> {
    match operation(services, method, path) {
        Some(operation) => check_answer(operation, answer)
            .map_err(|error| format!("{} {}: {error}", operation.method, operation.path)),
        None => Ok(()),
    }
}

/// The operation of a request. As in the routers, the path that fits with the fewest parameters is chosen first, and it may
/// lack the method.
fn operation(services: &[Service], method: &str, path: &str) -> Option<&'static Operation> {
    let segments: Vec<_> = path.split('/').collect();
    let fits = |operation: &&Operation| {
        let matches = |(part, segment): (&&str, &&str)| part.starts_with('{') || part == segment;
        services.contains(&operation.service)
            && operation.segments.len() == segments.len()
            && operation.segments.iter().zip(&segments).all(matches)
    };
    let fitting: Vec<_> = operations().iter().filter(fits).collect();
    let parameters = |operation: &Operation| operation.path.matches('{').count();
    let fewest = fitting.iter().map(|operation| parameters(operation)).min();
    fitting
        .into_iter()
        .find(|operation| Some(parameters(operation)) == fewest && operation.method == method)
}

fn check_answer(operation: &Operation, answer: &Answer) -> Result<(), String> {
    let status = answer.status.as_str();
    let response = resolve(&operation.value["responses"][status]);
    if response.is_null() {
        return Err(format!("no status {status}"));
    }
    check_headers(response, answer)?;
    check_quota(operation, answer)?;
    if answer.body.is_empty() {
        let has_content = response.get("content").is_some();
        return if has_content {
            Err(format!("no body with {status}"))
        } else {
            Ok(())
        };
    }
    let content_type = answer.header("content-type").unwrap_or_default();
    let content = &response["content"][content_type];
    if content.is_null() {
        return Err(format!("{status} has no content {content_type:?}"));
    }
    let body = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
    schema::check(&content["schema"], &body).map_err(|error| format!("{status}: {error}"))
}

fn check_headers(response: &'static Value, answer: &Answer) -> Result<(), String> {
    let described: Vec<_> = members(&response["headers"])
        .map(|(name, _)| name.to_lowercase())
        .collect();
    let unknown = answer.headers.keys().find(|name| {
        let name = name.as_str();
        let is_common = COMMON_HEADERS.contains(&name) || name.starts_with("access-control-");
        !is_common && !described.iter().any(|known| known == name)
    });
    match unknown {
        Some(name) => Err(format!("{} has no header {name}", answer.status)),
        None => Ok(()),
    }
}

/// The quota that the answer counts for is the one that the document names.
fn check_quota(operation: &Operation, answer: &Answer) -> Result<(), String> {
    let Some(limit) = answer.header("ratelimit") else {
        return Ok(());
    };
    let quota = operation.value["x-quota"].as_str().unwrap_or_default();
    if limit.starts_with(&format!("\"{quota}\";")) {
        Ok(())
    } else {
        Err(format!("counts for {limit} instead of {quota:?}"))
    }
}

/// How an event of the stream differs from its schema.
pub fn check_event(event: &Value) -> Result<(), String> {
    schema::check(&document()["components"]["schemas"]["StreamEvent"], event)
}
