//! The table has every operation of the API description, which is made from the routers, and no others.

use std::collections::BTreeSet;

use feedmill_events::{Projection, event::v1::Audience};
use uuid::Uuid;

use super::{ENDPOINTS, own_reads, reads};
use crate::{compare, link::LinkKind, openapi, oracle::Oracle};

fn without_names(path: &str) -> String {
    let mut parts = path.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| {
        let rest = part.split_once('}').map_or("", |(_, rest)| rest);
        path + "{}" + rest
    })
}

#[test]
fn the_table_has_every_operation_of_the_api() {
    let table = ENDPOINTS.iter().map(|endpoint| {
        let path = without_names(endpoint.path);
        let method = endpoint.method.to_owned();
        (endpoint.service, path, method, endpoint.needs_token())
    });
    let described = openapi::operations().iter().map(|operation| {
        let path = without_names(operation.path);
        let needs_token = operation.needs_token();
        (
            operation.service,
            path,
            operation.method.clone(),
            needs_token,
        )
    });
    let (table, described): (BTreeSet<_>, BTreeSet<_>) = (table.collect(), described.collect());
    let lacking: Vec<_> = described.difference(&table).collect();
    assert!(
        lacking.is_empty(),
        "tests/src/endpoints/table.rs lacks {lacking:?}"
    );
    let surplus: Vec<_> = table.difference(&described).collect();
    assert!(surplus.is_empty(), "docs/openapi.json lacks {surplus:?}");
}

#[test]
fn every_read_is_compared_with_the_oracle() {
    let [account, post, conversation, message, tag] = [1, 2, 3, 4, 5].map(Uuid::from_u128);
    let mut oracle = Oracle::default();
    oracle.create_account(account, "alice", "Alice", 0);
    oracle.create_post(post, account, "text", Audience::Public);
    oracle.create_conversation(conversation, &[account], None);
    oracle.send_message(conversation, message, account, "text");
    oracle.tags.create(tag, account, "tag");
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
