//! The OpenAPI description of a service.
//!
//! The annotation of a handler has what is particular to its operation. [`describe`] completes it with what it shares with
//! others: problems, headers and security. A service adds rules of its own ([`Rules`]).
//!
//! Two extensions are read from annotations. `x-problems` has the names of the codes that no rule adds; it is removed.
//! Others are for the rules of a service, and stay.

mod operation;

use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{Components, HttpMethod, OpenApi, Ref, RefOr, path::PathItem, schema::Schema},
};

pub use operation::Operation;

use crate::problem::{Code, FieldError, ProblemDocument, codes};

/// What a service adds to its description.
pub struct Rules {
    /// Its own codes; those of all services are in [`codes`].
    pub codes: &'static [Code],
    /// Parameters, headers and schemas that its operations refer to, as in the OpenAPI object `components`.
    pub components: Value,
    /// Headers of its problems, besides those that follow from the status.
    pub problem_headers: &'static [(Code, &'static [&'static str])],
    /// Completes an operation, after what all services have in common.
    pub complete: fn(&mut Operation<'_>),
}

/// The complete description. Panics if an annotation names a code that does not exist.
pub fn describe(mut document: OpenApi, rules: &Rules) -> OpenApi {
    let mut components = document.components.take().unwrap_or_default();
    let own: Components = from_json(rules.components.clone());
    let common: Components = from_json(common_components());
    for more in [own, common] {
        components.parameters.extend(more.parameters);
        components.headers.extend(more.headers);
        components.schemas.extend(more.schemas);
    }
    add_schema::<ProblemDocument>(&mut components);
    add_schema::<FieldError>(&mut components);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let mut operation = Operation::new(path, method, operation, rules);
            complete(&mut operation);
            (rules.complete)(&mut operation);
            components.responses.extend(operation.finish());
        }
    }
    document.components = Some(components);
    document
}

/// What the middleware, the extractors and the problems of every service do.
fn complete(operation: &mut Operation<'_>) {
    operation.may_fail_with(&[
        codes::INVALID_HOST,
        codes::INTERNAL,
        codes::OVERLOADED,
        codes::TIMEOUT,
    ]);
    if operation.needs_token() {
        operation.may_fail_with(&[
            codes::UNAUTHORIZED,
            codes::SESSION_ENDED,
            codes::UNAVAILABLE,
            codes::DATABASE_UNAVAILABLE,
        ]);
    }
    if operation.has_path_parameter() {
        operation.may_fail_with(&[codes::NOT_FOUND]);
    }
    if operation.has_query_parameter() {
        operation.may_fail_with(&[codes::INVALID_REQUEST]);
    }
    if operation.has_body() {
        operation.may_fail_with(&[
            codes::MALFORMED_JSON,
            codes::UNSUPPORTED_MEDIA_TYPE,
            codes::INVALID_REQUEST,
        ]);
    }
}

/// The schema of all codes in these lists, with what they mean.
pub fn code_schema(lists: &[&[Code]]) -> RefOr<Schema> {
    let mut all: Vec<&Code> = lists.iter().copied().flatten().collect();
    all.sort_by_key(|code| (code.name(), code.status()));
    let meanings = all.iter().map(|code| {
        let (status, name) = (code.status().as_u16(), code.name());
        format!("- `{name}` ({status}): {}", code.description())
    });
    let meanings: Vec<_> = meanings.collect();
    let mut names: Vec<_> = all.iter().map(|code| code.name()).collect();
    names.dedup();
    from_json(json!({
        "type": "string",
        "description": format!("What kind of problem it is. Codes are stable, and more may be added.\n\n{}", meanings.join("\n")),
        "enum": names,
    }))
}

/// A schema for each code in these lists, of its problems. With names, so that generators of clients make one type of each.
pub fn problem_schemas(lists: &[&[Code]]) -> Vec<(String, RefOr<Schema>)> {
    let all = || lists.iter().copied().flatten();
    let schema = |code: &Code| {
        let same = all().filter(|other| other.name() == code.name());
        let mut statuses: Vec<_> = same.map(|code| code.status().as_u16()).collect();
        statuses.sort_unstable();
        let schema = from_json(json!({
            "description": code.description(),
            "allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {
                    "type": "object",
                    "required": ["status", "code"],
                    "properties": {
                        "status": {"type": "integer", "enum": statuses},
                        "code": {"type": "string", "enum": [code.name()]},
                    },
                },
            ],
        }));
        (problem_name(*code), schema)
    };
    all().map(schema).collect()
}

/// For example `InvalidRequestProblem`.
fn problem_name(code: Code) -> String {
    let words = code.name().split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect::<String>() + "Problem"
}

/// The operations of a path.
pub fn operations(
    item: &mut PathItem,
) -> impl Iterator<Item = (HttpMethod, &mut utoipa::openapi::path::Operation)> {
    [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// A part of a document from JSON. Panics if it is not one.
pub fn from_json<T: serde::de::DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).expect("a part of an OpenAPI document")
}

/// The header `name` for [`Rules::components`].
pub fn header(description: &str, example: impl Into<Value>) -> Value {
    let example = example.into();
    let kind = if example.is_number() {
        "integer"
    } else {
        "string"
    };
    json!({"description": description, "schema": {"type": kind}, "example": example})
}

/// An optional request header for [`Rules::components`].
pub fn request_header(name: &str, description: &str, schema: &Value, example: &str) -> Value {
    json!({
        "name": name, "in": "header", "required": false,
        "description": description, "schema": schema, "example": example,
    })
}

fn common_components() -> Value {
    json!({"headers": {
        "Cache-Control": header(
            "Whether the answer may be stored. One that may be must be revalidated before each use, unless it has a `max-age`.",
            "private, no-cache",
        ),
        "Retry-After": header("How many seconds to wait before the next attempt.", 1),
        "WWW-Authenticate": header("The scheme of the token.", "Bearer"),
        "Server-Timing": header(
            "Milliseconds: `total` of the whole request; of it, `wait` for `Feedmill-Min-Position`; of a read, the `cache` lookup and the \
             database (`db`).",
            "cache;dur=0.012, db;dur=0.000, total;dur=0.031",
        ),
        "X-Process-Time": header("Seconds of the whole request, without the wait for `Feedmill-Min-Position`.", "0.000031"),
        "Accept-Encoding": header("With `unsupported_encoding`: the only coding that requests may have.", "identity"),
    }})
}

fn add_schema<T: ToSchema>(components: &mut Components) {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    components.schemas.extend(schemas);
}

/// A reference to an object of `components`.
fn reference(kind: &str, name: &str) -> Ref {
    Ref::new(format!("#/components/{kind}/{name}"))
}
