//! The table has every route of the routers, and no others. Reads the source of the routers: a test that calls them
//! could only find the routes that it knows of.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::Projection;
use uuid::Uuid;

use super::{ENDPOINTS, Service, own_reads, reads};
use crate::{compare, link::LinkKind, oracle::Oracle};

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// Path, with `{}` for each parameter, and the methods that can be read from the source.
type Routes = BTreeMap<String, BTreeSet<String>>;

fn without_names(path: &str) -> String {
    let mut parts = path.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| {
        let rest = part.split_once('}').map_or("", |(_, rest)| rest);
        path + "{}" + rest
    })
}

/// The routes in a router's source: every string literal that begins with a slash is a path, and what follows up to
/// the next one tells its methods: calls like `get(…)` or `put_and_delete(…)`.
fn routes(source: &str) -> Routes {
    let code: Vec<_> = source
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .collect();
    let mut routes = Routes::new();
    for segment in code.join("\n").split("\"/").skip(1) {
        let (path, rest) = segment.split_once('"').expect("the end of a literal");
        let mut methods = BTreeSet::new();
        let calls: Vec<_> = rest.split('(').collect();
        for call in &calls[..calls.len() - 1] {
            let is_separator = |c: char| !c.is_alphanumeric() && c != '_';
            let name = call.rsplit(is_separator).next().unwrap_or_default();
            let words = name.split('_').filter(|word| METHODS.contains(word));
            methods.extend(words.map(str::to_uppercase));
        }
        let path = without_names(&format!("/{path}"));
        routes.entry(path).or_default().extend(methods);
    }
    routes
}

#[test]
fn routes_are_read_from_the_source_of_a_router() {
    let source = r#"
        // .route("/v1/not", get(this))
        .route("/v1/posts/{id}/like", put(likes::add).delete(likes::remove))
        .route("/v1/users/{user}/follow", links::put_and_delete(LinkKind::Follow))
        .route(
            "/v1/posts/{id}",
            get(post::one).layer(of(&[Feed, Profiles])),
        )
        .route("/v1/bookmarks", link(LinkKind::Bookmark))
    "#;
    let routes = routes(source);
    let methods = |path: &str| Vec::from_iter(routes[path].clone());
    assert_eq!(methods("/v1/posts/{}/like"), ["DELETE", "PUT"]);
    assert_eq!(methods("/v1/users/{}/follow"), ["DELETE", "PUT"]);
    assert_eq!(methods("/v1/posts/{}"), ["GET"]);
    assert!(methods("/v1/bookmarks").is_empty());
    assert_eq!(routes.len(), 4, "{routes:?}");
}

#[test]
fn the_table_has_every_route_of_the_routers() {
    let routers = [
        (
            Service::WriteApi,
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../write-api/src/router.rs"
            )),
        ),
        (
            Service::ReadApi,
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../read-api/src/router.rs"
            )),
        ),
    ];
    for (service, source) in routers {
        let mut table = Routes::new();
        for endpoint in ENDPOINTS.iter().filter(|e| e.service == service) {
            let methods = table.entry(without_names(endpoint.path)).or_default();
            methods.insert(endpoint.method.to_owned());
        }
        let router = routes(source);
        for (path, methods) in &router {
            let known = table.get(path).cloned().unwrap_or_default();
            let lacking: Vec<_> = methods.difference(&known).collect();
            assert!(
                !known.is_empty() && lacking.is_empty(),
                "tests/src/endpoints/table.rs lacks {lacking:?} {path} of {service:?}"
            );
        }
        for (path, methods) in &table {
            let known = router.get(path).unwrap_or_else(|| {
                panic!("{service:?} has no route {path}, but tests/src/endpoints/table.rs does")
            });
            assert!(
                known.is_empty() || methods == known,
                "{service:?} has {known:?} {path}, tests/src/endpoints/table.rs has {methods:?}"
            );
        }
    }
}

#[test]
fn every_read_is_compared_with_the_oracle() {
    let [account, post, conversation, message] = [1, 2, 3, 4].map(Uuid::from_u128);
    let mut oracle = Oracle::default();
    oracle.create_account(account, "alice", "Alice", 0);
    oracle.create_post(post, account, "text", None);
    oracle.create_conversation(conversation, &[account], None);
    oracle.send_message(conversation, message, account, "text");
    let day = chrono::NaiveDate::default();
    let compared: BTreeSet<_> = compare::reads(&oracle, account, &[day], usize::MAX)
        .into_iter()
        .map(|read| {
            let path = read.path.split('?').next().unwrap_or_default();
            let parts = path.split('/').map(|part| {
                let is_id = part.parse::<Uuid>().is_ok();
                if is_id { "{}" } else { part }
            });
            parts.collect::<Vec<_>>().join("/")
        })
        .collect();
    for endpoint in reads() {
        assert!(
            compared.contains(&without_names(endpoint.path)),
            "compare::reads lacks {}",
            endpoint.path
        );
    }
}

#[test]
fn every_command_of_a_link_is_in_the_table() {
    for kind in LinkKind::ALL {
        let path = kind
            .path(Uuid::nil())
            .replace(&Uuid::nil().to_string(), "{}");
        for method in ["PUT", "DELETE"] {
            let same = |e: &super::Endpoint| e.method == method && without_names(e.path) == path;
            assert!(ENDPOINTS.iter().any(same), "no {method} {path}");
        }
    }
}

#[test]
fn the_own_reads_cover_every_projection() {
    for projection in Projection::ALL {
        let covered = own_reads().any(|endpoint| endpoint.projections.contains(&projection));
        assert!(covered, "no read of an account's own needs {projection}");
    }
}
