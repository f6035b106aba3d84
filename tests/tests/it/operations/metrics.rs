//! Metrics: what is documented is measured, and the other way round.

use std::collections::BTreeMap;

use feedmill_tests::kit::{samples, wait_until};

use super::{count, samples_of, stack_with};

/// The kinds and labels in the tables of docs/metrics.md, by name.
fn documented() -> BTreeMap<String, (String, Vec<String>)> {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md"));
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.map(|row| {
        let (name, rest) = row.split_once('`').expect("the end of a name");
        let mut cells = rest.split(" | ");
        let labels = cells.next().expect("labels").trim();
        let labels = labels.trim_start_matches('{').trim_end_matches('}');
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(str::to_owned).collect();
        let kind = cells.next().expect("a kind").to_owned();
        (name.to_owned(), (kind, labels))
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_documented_and_count_what_happened() {
    let stack = stack_with(&[]).await;
    let ((bob_id, bob), (alice_id, alice)) =
        (stack.person("bob").await, stack.person("alice").await);
    bob.connection(alice_id, true).await.expect(200);
    alice.wait_for(&bob.positions());
    alice.connection(bob_id, true).await.expect(200);
    let first = bob.post("first", None).await.expect(201).id();
    bob.post("second", Some(first)).await.expect(201);
    let third = bob.post("third", None).await.expect(201).id();
    bob.delete_post(third).await.expect(204);
    alice.wait_for(&bob.positions());
    for _ in 0..3 {
        alice.get("/v1/feed").await.expect(200);
    }
    for _ in 0..2 {
        alice.get("/v1/digest?period=day").await.expect(200);
    }
    alice.get(&format!("/v1/posts/{third}")).await.expect(404);

    let write = samples_of(&stack.write[0]).await;
    assert_eq!(count(&write, "post_creations_total", &[]), 3);
    assert_eq!(count(&write, "post_deletions_total", &[]), 1);
    assert_eq!(count(&write, "connection_requests_total", &[]), 1);
    assert_eq!(count(&write, "connection_accepts_total", &[]), 1);
    assert_eq!(count(&write, "post_creation_latency_seconds_count", &[]), 3);
    let appended = |event| count(&write, "log_events_appended_total", &[("type", event)]);
    assert_eq!(appended("post.created"), 3);
    assert_eq!(appended("connection.made"), 2);
    let read = samples_of(&stack.read[0]).await;
    for (named, route, requests) in [("feed", "/v1/feed", 3), ("digest", "/v1/digest", 2)] {
        let of_route = count(&read, "http_requests_total", &[("route", route)]);
        assert_eq!(of_route, requests);
        assert_eq!(
            count(&read, &format!("{named}_requests_total"), &[]),
            requests
        );
        assert_eq!(
            count(&read, &format!("{named}_latency_seconds_count"), &[]),
            requests
        );
    }
    let statements = count(&read, "sql_duration_seconds_count", &[]);
    assert_eq!(
        count(&read, "db_query_latency_seconds_count", &[]),
        statements
    );
    wait_until("the read models are counted", async || {
        let projector = samples_of(&stack.projectors[0]).await;
        let value = |name| count(&projector, name, &[]);
        (
            value("users_total"),
            value("posts_total"),
            value("active_connections_total"),
        ) == (2, 2, 1)
    })
    .await;

    let documented = documented();
    let mut seen = BTreeMap::new();
    for service in stack.services() {
        let text = service.metrics().await;
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        for (name, kind) in types.filter_map(|line| line.split_once(' ')) {
            seen.insert(name.to_owned(), kind.to_owned());
        }
        let base = |name: &str| {
            let suffixes = ["_bucket", "_sum", "_count"];
            let base = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
            base.filter(|base| documented.contains_key(*base))
                .unwrap_or(name)
                .to_owned()
        };
        for sample in samples(&text) {
            let name = base(&sample.name);
            let (_, labels) = documented
                .get(&name)
                .unwrap_or_else(|| panic!("{name} is not in docs/metrics.md"));
            let own = sample
                .labels
                .keys()
                .filter(|label| !["le", "quantile"].contains(&label.as_str()));
            let mut expected = labels.clone();
            expected.sort();
            assert_eq!(
                own.cloned().collect::<Vec<_>>(),
                expected,
                "the labels of {name}"
            );
        }
    }
    for (name, (kind, labels)) in &documented {
        let kind = if kind == "histogram" && !name.ends_with("_seconds") {
            "summary"
        } else {
            kind
        };
        match seen.get(name) {
            Some(found) => assert_eq!(found, kind, "the kind of {name}"),
            // One with labels, or a distribution, appears with its first event; there is no certificate.
            None => assert!(
                name == "tls_certificate_expiry_timestamp_seconds"
                    || !labels.is_empty()
                    || kind == "histogram"
                    || kind == "summary",
                "{name} is in docs/metrics.md, but in no service"
            ),
        }
    }
}
