//! The descriptions of both services, merged.

use std::collections::{BTreeMap, btree_map::Entry};

use anyhow::{Context, ensure};
use feedmill_service::{
    openapi::{code_schema, from_json, operations, problem_schemas},
    problem::codes,
};
use serde_json::json;
use utoipa::openapi::{Components, OpenApi, Paths, Server, path::HttpMethod};

use crate::variants::name_variants;

/// The committed text.
pub fn text() -> anyhow::Result<String> {
    Ok(document()?.to_pretty_json()? + "\n")
}

/// Errors: both services have an operation, or have different components of one name.
pub fn document() -> anyhow::Result<OpenApi> {
    let services = [
        ("write", 8080, write_api::router::description()),
        ("read", 8081, read_api::description()),
    ];
    let mut document = frame();
    let mut servers = vec![];
    for (name, port, description) in services {
        let server = server(name, port);
        add_paths(&mut document.paths, description.paths, &server)?;
        let components = document.components.get_or_insert_default();
        add_components(components, description.components.unwrap_or_default())?;
        servers.push(server);
    }
    document.servers = Some(servers);
    let components = document.components.get_or_insert_default();
    let lists = [codes::ALL, write_api::http::problem::ALL, read_api::CODES];
    let codes = code_schema(&lists);
    components.schemas.insert("ProblemCode".to_owned(), codes);
    components.schemas.extend(problem_schemas(&lists));
    let mut schemas = serde_json::to_value(&components.schemas)?;
    schemas.as_object_mut().map(name_variants);
    components.schemas = from_json(schemas);
    Ok(document)
}

/// Everything but the operations.
fn frame() -> OpenApi {
    from_json(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Feedmill",
            "version": "1",
            "description": include_str!("guide.md"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {},
        "components": {"securitySchemes": {"accessToken": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access_token` of a session, or the token of an identity provider.",
        }}},
        "tags": [
            {"name": "Accounts", "description": "Signing up, profiles, and who follows whom."},
            {"name": "Tags", "description": "Private labels for the people that an account is connected with."},
            {"name": "Connections", "description": "Connections, which need the consent of both accounts."},
            {"name": "Sessions", "description": "Signing in and out."},
            {"name": "Posts", "description": "Posts, replies, likes and bookmarks, and the lists of them."},
            {"name": "Conversations", "description": "Messages between 2 to 100 accounts."},
            {"name": "Notifications", "description": "What others did with the caller and the caller's posts."},
            {"name": "Live updates", "description": "What is new, as it happens."},
        ],
    }))
}

/// The server that a service's operations are at.
fn server(name: &str, port: u16) -> Server {
    from_json(json!({
        "url": format!("{{{name}_api}}"),
        "description": format!("{name}-api"),
        "variables": {format!("{name}_api"): {
            "default": format!("http://localhost:{port}"),
            "description": format!("Where {name}-api is. Both services may be behind one host name."),
        }},
    }))
}

/// Adds the operations of a service, each with its server: both services have operations at some paths.
fn add_paths(all: &mut Paths, paths: Paths, server: &Server) -> anyhow::Result<()> {
    for (path, mut item) in paths.paths {
        let known = all.paths.entry(path.clone()).or_default();
        for (method, operation) in operations(&mut item) {
            let place = match method {
                HttpMethod::Get => &mut known.get,
                HttpMethod::Put => &mut known.put,
                HttpMethod::Post => &mut known.post,
                HttpMethod::Patch => &mut known.patch,
                _ => &mut known.delete,
            };
            ensure!(place.is_none(), "both services have an operation at {path}");
            operation.servers = Some(vec![server.clone()]);
            *place = Some(operation.clone());
        }
    }
    Ok(())
}

fn add_components(all: &mut Components, more: Components) -> anyhow::Result<()> {
    add(&mut all.schemas, more.schemas).context("a schema")?;
    add(&mut all.responses, more.responses).context("a response")?;
    add(&mut all.parameters, more.parameters).context("a parameter")?;
    add(&mut all.headers, more.headers).context("a header")
}

/// What both services have must be the same.
fn add<T: serde::Serialize>(
    all: &mut BTreeMap<String, T>,
    more: BTreeMap<String, T>,
) -> anyhow::Result<()> {
    for (name, component) in more {
        match all.entry(name) {
            Entry::Vacant(place) => {
                place.insert(component);
            }
            Entry::Occupied(known) => {
                let (name, write) = (known.key(), serde_json::to_string(known.get())?);
                let read = serde_json::to_string(&component)?;
                ensure!(
                    write == read,
                    "{name} is {write} in write-api, {read} in read-api"
                );
            }
        }
    }
    Ok(())
}
