//! The performance of each service, and the caches.

use feedmill_tests::{
    client::http,
    kit::{Stack, StackConfig, wait_until},
};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{ask, stack_with};

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
    // The cache of read-api; its gauges are updated every second. The projection of the account may have made the first answer stale.
    wait_until("the cache is counted", async || {
        let (_, health) = ask(&stack.read[0], Method::GET, "/health/performance").await;
        health["cache"]["entries"].as_u64() >= Some(1)
            && health["cache"]["hits"].as_u64() >= Some(1)
    })
    .await;
    let (_, stats) = ask(&stack.read[0], Method::GET, "/performance/cache-stats").await;
    let kinds: Vec<&String> = stats.as_object().unwrap().keys().collect();
    assert_eq!(kinds, ["answers", "followees", "posts", "scores", "unread"]);
    assert!(stats["answers"]["hits"].as_u64() >= Some(1), "{stats}");
    assert!(stats["answers"]["hit_rate"].as_f64() > Some(0.3), "{stats}");
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
