//! An operation whose description is being completed.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::{
    HttpMethod, RefOr, Response,
    path::{self, ParameterIn},
    security::SecurityRequirement,
};

use super::{Rules, from_json, problem_name, reference};
use crate::problem::{Code, codes};

/// The security scheme of operations that need a token.
pub const ACCESS_TOKEN: &str = "accessToken";

const PROBLEMS: &str = "x-problems";

pub struct Operation<'a> {
    pub path: &'a str,
    pub method: HttpMethod,
    inner: &'a mut path::Operation,
    codes: Vec<Code>,
    rules: &'a Rules,
}

impl<'a> Operation<'a> {
    /// Panics if the annotation names a code that neither all services nor this one have.
    pub(super) fn new(
        path: &'a str,
        method: HttpMethod,
        operation: &'a mut path::Operation,
        rules: &'a Rules,
    ) -> Self {
        if operation.security.is_none() {
            let token = SecurityRequirement::new(ACCESS_TOKEN, [""; 0]);
            operation.security = Some(vec![token]);
        } else {
            // `security(())` is one that requires nothing. An empty list says that there is none.
            operation.security = Some(vec![]);
        }
        let extensions = operation.extensions.as_mut();
        let named = extensions.and_then(|extensions| extensions.remove(PROBLEMS));
        let named: Vec<String> = named.map(from_json).unwrap_or_default();
        let mut own = vec![];
        for name in named {
            let all = rules.codes.iter().chain(codes::ALL);
            let before = own.len();
            own.extend(all.filter(|code| code.name() == name));
            assert!(own.len() > before, "{path}: there is no code {name}");
        }
        operation
            .extensions
            .take_if(|extensions| extensions.is_empty());
        Self {
            path,
            method,
            inner: operation,
            codes: own,
            rules,
        }
    }

    pub fn needs_token(&self) -> bool {
        let security = self.inner.security.as_ref();
        security.is_some_and(|security| !security.is_empty())
    }

    /// Whether it has a body with a schema.
    pub fn has_body(&self) -> bool {
        self.inner.request_body.is_some()
    }

    pub fn has_path_parameter(&self) -> bool {
        self.has_parameter(|parameter| matches!(parameter.parameter_in, ParameterIn::Path))
    }

    pub fn has_query_parameter(&self) -> bool {
        self.has_parameter(|parameter| matches!(parameter.parameter_in, ParameterIn::Query))
    }

    /// Whether it has this query parameter.
    pub fn has_query(&self, name: &str) -> bool {
        self.has_parameter(|parameter| parameter.name == name)
    }

    fn has_parameter(&self, is_it: impl Fn(&path::Parameter) -> bool) -> bool {
        let parameters = self.inner.parameters.iter().flatten();
        let mut own = parameters.filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        });
        own.any(is_it)
    }

    pub fn has_tag(&self, tag: &str) -> bool {
        let mut tags = self.inner.tags.iter().flatten();
        tags.any(|own| own == tag)
    }

    /// An extension of its annotation.
    pub fn extension(&self, name: &str) -> Option<&Value> {
        self.inner.extensions.as_ref()?.get(name)
    }

    /// Whether it has this response, such as `200`.
    pub fn has_response(&self, status: &str) -> bool {
        self.inner.responses.responses.contains_key(status)
    }

    /// Whether a response has this content type.
    pub fn has_content(&self, content_type: &str) -> bool {
        let mut responses = self.inner.responses.responses.values();
        responses.any(|response| {
            matches!(response, RefOr::T(response) if response.content.contains_key(content_type))
        })
    }

    /// Adds problems that it may be answered with.
    pub fn may_fail_with(&mut self, codes: &[Code]) {
        self.codes.extend(codes);
    }

    /// Adds a sentence to its description.
    pub fn note(&mut self, text: &str) {
        let description = self.inner.description.take();
        let description = description.map_or_else(String::new, |before| before + "\n\n");
        self.inner.description = Some(description + text);
    }

    /// Adds a parameter of `components`.
    pub fn parameter(&mut self, component: &str) {
        let parameters = self.inner.parameters.get_or_insert_default();
        parameters.push(RefOr::Ref(reference("parameters", component)));
    }

    /// Adds headers of `components` to all its responses with a status below 300.
    pub fn success_headers(&mut self, names: &[&str]) {
        for (status, response) in &mut self.inner.responses.responses {
            if let RefOr::T(response) = response
                && status.starts_with('2')
            {
                add_headers(response, names);
            }
        }
    }

    /// Adds headers of `components` to its response with this status, if it has one.
    pub fn headers_of(&mut self, status: &str, names: &[&str]) {
        let response = self.inner.responses.responses.get_mut(status);
        if let Some(RefOr::T(response)) = response {
            add_headers(response, names);
        }
    }

    /// Adds a response without a body.
    pub fn respond(&mut self, status: &str, description: &str, headers: &[&str]) {
        let mut response = Response::new(description);
        add_headers(&mut response, headers);
        let responses = &mut self.inner.responses.responses;
        responses.insert(status.to_owned(), RefOr::T(response));
    }

    /// Refers to a response for each status of a problem. The responses, for `components`.
    pub(super) fn finish(self) -> BTreeMap<String, RefOr<Response>> {
        let mut by_status: BTreeMap<StatusCode, BTreeMap<&str, Code>> = BTreeMap::new();
        for code in self.codes {
            let codes = by_status.entry(code.status()).or_default();
            codes.insert(code.name(), code);
        }
        for (status, response) in &mut self.inner.responses.responses {
            let RefOr::T(response) = response else {
                continue;
            };
            if response.description.is_empty() {
                reason(status).clone_into(&mut response.description);
            }
            // Each is another status than 404, which is always a problem; the 204 of a DELETE has no times.
            if self.method != HttpMethod::Delete || status != "204" {
                add_headers(response, &TIMES);
            }
        }
        let mut responses = BTreeMap::new();
        for (status, codes) in by_status {
            let names: Vec<_> = codes.keys().copied().collect();
            let name = format!("{}.{}", status.as_u16(), names.join("."));
            let refer = RefOr::Ref(reference("responses", &name));
            let of_operation = &mut self.inner.responses.responses;
            of_operation.insert(status.as_str().to_owned(), refer);
            responses.insert(name, RefOr::T(problem_response(status, &codes, self.rules)));
        }
        responses
    }
}

/// `OK`, `Created` and so on.
fn reason(status: &str) -> &'static str {
    let status = StatusCode::from_bytes(status.as_bytes()).ok();
    status
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default()
}

/// The headers of every answer, except for what may have to look like something that does not exist.
const TIMES: [&str; 2] = ["Server-Timing", "X-Process-Time"];

fn add_headers(response: &mut Response, names: &[&str]) {
    for name in names {
        let refer = RefOr::Ref(reference("headers", name));
        response.headers.insert((*name).to_owned(), refer);
    }
}

/// The response with one of these codes, which have one status.
fn problem_response(status: StatusCode, codes: &BTreeMap<&str, Code>, rules: &Rules) -> Response {
    let meaning = |code: &Code| format!("- `{}`: {}", code.name(), code.description());
    let meanings: Vec<_> = codes.values().map(meaning).collect();
    let schemas = codes.values().map(|code| {
        let name = problem_name(*code);
        json!({"$ref": format!("#/components/schemas/{name}")})
    });
    let mut schemas: Vec<_> = schemas.collect();
    let schema = match schemas.len() {
        1 => schemas.remove(0),
        _ => json!({"oneOf": schemas}),
    };
    let mut response: Response = from_json(json!({
        "description": format!("{}\n\n{}", status.canonical_reason().unwrap_or_default(), meanings.join("\n")),
        "content": {"application/problem+json": {"schema": schema}},
    }));
    let headers: &[&str] = match status {
        StatusCode::UNAUTHORIZED => &["WWW-Authenticate"],
        StatusCode::UNSUPPORTED_MEDIA_TYPE => &["Accept-Encoding"],
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => &["Retry-After"],
        _ => &[],
    };
    if status != StatusCode::NOT_FOUND {
        add_headers(&mut response, &TIMES);
    }
    add_headers(&mut response, &["Cache-Control"]);
    add_headers(&mut response, headers);
    for (code, headers) in rules.problem_headers {
        if codes.contains_key(code.name()) {
            add_headers(&mut response, headers);
        }
    }
    response
}
