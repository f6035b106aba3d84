//! Slow requests and statements in the log.

use std::time::Duration;

use feedmill_tests::kit::wait_until;
use serde_json::json;
use sqlx::Executor;

use super::stack_with;

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
