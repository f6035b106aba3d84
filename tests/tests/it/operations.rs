//! What operators see and do: metrics, the performance of each service, slow work, the caches.

use std::{collections::BTreeMap, time::Duration};

use feedmill_tests::{
    client::{Client, http},
    kit::{Process, Sample, Stack, StackConfig, samples, sum, wait_until},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Executor;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A stack with this setting for all services.
async fn stack_with(settings: &[(&str, &str)]) -> Stack {
    let settings = settings.iter();
    let environment = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Stack::start(StackConfig {
        environment: environment.collect(),
        ..StackConfig::default()
    })
    .await
}

async fn samples_of(process: &Process) -> Vec<Sample> {
    samples(&process.metrics().await)
}

async fn ask(process: &Process, method: Method, path: &str) -> (StatusCode, Value) {
    let url = process.operators_url(path);
    let answer = http().request(method, url).send().await.expect("an answer");
    let status = answer.status();
    (status, answer.json().await.expect("JSON"))
}

/// The whole number that a sum of samples is.
fn count(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> u64 {
    let sum = sum(samples, name, labels);
    assert!(sum >= 0.0 && sum.fract() == 0.0, "{name}: {sum}");
    sum as u64
}

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
            // One with labels, or a distribution, appears with its first event.
            None => assert!(
                !labels.is_empty() || kind == "histogram" || kind == "summary",
                "{name} is in docs/metrics.md, but in no service"
            ),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_tells_its_performance() {
    let stack = stack_with(&[]).await;
    let (_, alice) = stack.person("alice").await;
    for _ in 0..3 {
        alice.get("/v1/me").await.expect(200);
    }
    for service in stack.services() {
        let (status, health) = ask(service, Method::GET, "/health/db").await;
        assert_eq!(status, StatusCode::OK, "{health}");
        assert_eq!(health["status"], "healthy");
        assert!(
            health["latency_ms"]
                .as_f64()
                .is_some_and(|latency| latency > 0.0),
            "{health}"
        );
        assert!(health["pool"]["size"].as_u64() >= Some(1), "{health}");
        assert_eq!(health["pool"]["waiting"], 0);
        let (status, health) = ask(service, Method::GET, "/health/performance").await;
        assert_eq!(
            (status, &health["status"]),
            (StatusCode::OK, &"healthy".into())
        );
        assert_eq!(health["database"]["status"], "healthy");
        assert!(health["response_time_ms"].as_f64() >= health["database"]["latency_ms"].as_f64());
        assert!(health["cache"]["memory_bytes"].is_u64(), "{health}");
        let (_, metrics) = ask(service, Method::GET, "/performance/metrics").await;
        for of in ["routes", "statements"] {
            let all = metrics[of].as_array().expect("a list");
            assert!(!all.is_empty(), "{}: {of}", service.name);
            for it in all {
                let [p50, p95, p99] = ["p50_ms", "p95_ms", "p99_ms"].map(|name| it[name].as_f64());
                assert!(p50 <= p95 && p95 <= p99 && p50 > Some(0.0), "{it}");
                assert!(
                    it["count"].as_u64() > Some(0) && it["mean_ms"].as_f64() > Some(0.0),
                    "{it}"
                );
            }
            let slowest = metrics[format!("slowest_{of}")].as_array().expect("a list");
            assert_eq!(slowest.len(), all.len().min(10));
            let most = all
                .iter()
                .filter_map(|it| it["p99_ms"].as_f64())
                .fold(0.0, f64::max);
            assert_eq!(slowest[0]["p99_ms"].as_f64(), Some(most));
        }
    }
    let (_, metrics) = ask(&stack.read[0], Method::GET, "/performance/metrics").await;
    let me = metrics["routes"].as_array().unwrap().iter();
    let me = me.filter(|it| it["route"] == "/v1/me").collect::<Vec<_>>();
    assert_eq!(
        (me.len(), &me[0]["count"], &me[0]["method"]),
        (1, &3.into(), &"GET".into())
    );
    // The cache of read-api; its gauges are updated every second.
    wait_until("the cache is counted", async || {
        let (_, health) = ask(&stack.read[0], Method::GET, "/health/performance").await;
        health["cache"]["entries"].as_u64() >= Some(1) && health["cache"]["hits"] == 2
    })
    .await;
    let (_, stats) = ask(&stack.read[0], Method::GET, "/performance/cache-stats").await;
    let kinds: Vec<&String> = stats.as_object().unwrap().keys().collect();
    assert_eq!(kinds, ["answers", "followees", "posts", "scores", "unread"]);
    assert_eq!(stats["answers"]["hits"], 2);
    assert!(stats["answers"]["hit_rate"].as_f64() > Some(0.5), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_its_database_says_so() {
    let mut stack = Stack::start(StackConfig {
        faults: true,
        ..StackConfig::default()
    })
    .await;
    stack.postgres().kill();
    for service in stack.services() {
        let (status, health) = ask(service, Method::GET, "/health/db").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{}", service.name);
        assert_eq!(health["status"], "unhealthy");
        assert_eq!(health["latency_ms"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_clears_the_caches_of_all_instances() {
    let stack = Stack::start(StackConfig {
        read: 2,
        ..StackConfig::default()
    })
    .await;
    let (_, alice) = stack.person("alice").await;
    let clients = [0, 1].map(|instance| alice.with_read(&stack.target.read[instance]));
    let is_cached = async |instance: usize| {
        let answer = clients[instance].get("/v1/me").await.expect(200);
        answer.header("x-cache") == Some("hit")
    };
    let fill = async || {
        for instance in [0, 1] {
            wait_until("a cached answer", async || is_cached(instance).await).await;
        }
    };
    fill().await;
    for path in ["/performance/cleanup-cache", "/health/cache/clear"] {
        let (status, done) = ask(&stack.read[0], Method::POST, path).await;
        assert_eq!(
            (status, &done["instances"]),
            (StatusCode::OK, &"all".into())
        );
        let command = path.rsplit(['/', '-']).next().unwrap();
        let command = if command == "cache" {
            "cleanup"
        } else {
            command
        };
        let line = format!("command=\"{command}\"");
        wait_until("the other instance has heard of it", async || {
            stack.read[1].log().contains(&line)
        })
        .await;
        // A cleanup removes what is stale, and these answers are not.
        let expected = command == "cleanup";
        for instance in [0, 1] {
            assert_eq!(is_cached(instance).await, expected, "{path} at {instance}");
        }
    }
    let (status, _) = ask(&stack.read[0], Method::GET, "/v1/me").await;
    assert_eq!(
        status,
        StatusCode::NOT_FOUND,
        "clients' routes are elsewhere"
    );
    let outside = format!("{}/health/cache/clear", stack.target.read[0]);
    let outside = http().post(outside).send().await.unwrap();
    assert_eq!(
        outside.status(),
        StatusCode::NOT_FOUND,
        "for operators only"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_requests_and_statements_are_logged_with_a_plan() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let stack = stack_with(&[
        ("SLOW_REQUEST_WARN", "300ms"),
        ("SLOW_STATEMENT_WARN", "300ms"),
    ])
    .await;
    let (_, alice) = stack.person("alice").await;
    let name = json!({"display_name": "Alice Secret"});
    alice.change_profile(name).await.expect(200);
    let post = alice
        .post("a very secret text", None)
        .await
        .expect(201)
        .id();
    alice.get("/v1/me").await.expect(200);
    let read = &stack.read[0];
    assert!(!read.log().contains("was slow"), "{}", read.log());

    // A table that nobody may read for a while.
    let mut tx = stack.pool.begin().await.unwrap();
    tx.execute("LOCK TABLE feed.posts IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let path = format!("/v1/posts/{post}");
    let request = alice.read_request(&path);
    let request = request.header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"));
    let slow = alice.send(request);
    let unlock = async {
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        tx.rollback().await.unwrap();
    };
    let (answer, ()) = tokio::join!(slow, unlock);
    let answer = answer.expect(200);
    let seconds: f64 = answer.header("x-process-time").unwrap().parse().unwrap();
    assert!(seconds > 1.0, "{seconds}");
    wait_until("the slow work is in the log", async || {
        read.log().contains("generic plan")
    })
    .await;
    let log = read.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("slow")).collect();
    let line = |text: &str| {
        let found: Vec<_> = lines.iter().filter(|line| line.contains(text)).collect();
        assert_eq!(found.len(), 1, "{text}: {log}");
        found[0]
    };
    let request = line("a request was slow");
    assert!(
        request.contains("WARN") && request.contains("route=\"/v1/posts/{id}\""),
        "{request}"
    );
    assert!(request.contains(TRACE), "{request}");
    let statement = line("a statement was slow");
    assert!(
        statement.contains("ERROR") && statement.contains("statement=\"post.one\""),
        "{statement}"
    );
    assert!(line("generic plan").contains("statement=\"post.one\""));
    assert!(log.contains("Index Scan using posts_pkey"), "{log}");
    for private in ["secret", "Secret", &post.to_string(), &alice.position()] {
        assert!(!log.contains(private), "{private}: {log}");
    }
    // sqlx's own line has the whole text.
    assert!(!log.contains("slow_threshold"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_for_a_position_is_not_slow() {
    let mut stack = stack_with(&[("SLOW_REQUEST_WARN", "300ms")]).await;
    let (_, alice) = stack.person("alice").await;
    alice.get("/v1/me").await.expect(200);
    stack.projectors[0].kill();
    alice.post("not projected", None).await.expect(201);
    let request = alice.read_request("/v1/me").header("prefer", "wait=1");
    let answer = alice
        .send(request.header("feedmill-min-position", alice.position()))
        .await;
    let answer = answer.expect(503);
    let seconds: f64 = answer.header("x-process-time").unwrap().parse().unwrap();
    assert!(seconds < 0.3, "{seconds}");
    let timing = answer.header("server-timing").unwrap();
    assert!(
        timing.contains("wait;dur=1") && timing.contains("total;dur=1"),
        "{timing}"
    );
    assert!(
        !stack.read[0].log().contains("was slow"),
        "{}",
        stack.read[0].log()
    );
}

/// Sends requests one after the other on kept connections, as a load balancer does: to the first instance until that asks for its
/// connection to be closed, then to the second one. Returns the number of answers of each.
async fn balanced(client: [Client; 2], method: Method, stop: CancellationToken) -> [usize; 2] {
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let (mut instance, mut answers) = (0, [0; 2]);
    while !stop.is_cancelled() {
        let to = &client[instance];
        let request = if method == Method::GET {
            to.signed(http.get(format!("{}/v1/me", to.read)))
        } else {
            let text = json!({"text": "one of many"});
            to.signed(http.request(method.clone(), format!("{}/v1/posts", to.write)))
                .json(&text)
        };
        let answer = request.send().await;
        let answer = answer.unwrap_or_else(|error| panic!("after {answers:?} answers: {error:?}"));
        assert!(answer.status().is_success(), "{answer:?}");
        answers[instance] += 1;
        if answer
            .headers()
            .get("connection")
            .is_some_and(|it| it == "close")
        {
            instance = 1;
        }
        answer.bytes().await.expect("a whole body");
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_told_to_stop_loses_no_request() {
    let mut stack = Stack::start(StackConfig {
        read: 2,
        write: 2,
        environment: vec![("SHUTDOWN_DRAIN".to_owned(), "2s".to_owned())],
        ..StackConfig::default()
    })
    .await;
    let (_, alice) = stack.person("alice").await;
    alice.get("/v1/me").await.expect(200);
    let target = &stack.target;
    let instances = [0, 1].map(|n| {
        alice
            .with_read(&target.read[n])
            .with_write(&target.write[n])
    });
    let stop = CancellationToken::new();
    let mut requests = JoinSet::new();
    for n in 0..12 {
        let method = if n % 2 == 0 {
            Method::GET
        } else {
            Method::POST
        };
        requests.spawn(balanced(instances.clone(), method, stop.clone()));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    for services in [&mut stack.read, &mut stack.write] {
        assert!(services[0].is_ready().await);
        assert!(services[0].signal("TERM"));
        wait_until("readiness says so", async || !services[0].is_ready().await).await;
        assert!(services[0].ended().is_none(), "it serves on");
        wait_until("it ends", async || services[0].ended().is_some()).await;
        assert!(services[0].ended().unwrap().success());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.cancel();
    for [before, after] in requests.join_all().await {
        assert!(before > 5 && after > 5, "{before} and {after} answers");
    }
}
