//! Passwords and refresh tokens.

use std::time::{Duration, Instant};

use feedmill_service::Database;
use feedmill_tests::{
    client::{Answer, Client, PASSWORD},
    kit::Role,
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use write_api::housekeeping;

use crate::harness::Api;

async fn guess(client: &Client, handle: &str) -> Answer {
    let body = json!({ "handle": handle, "password": "a wrong password" });
    let path = "/v1/sessions";
    client.command(Method::POST, path, Some(body)).await
}

async fn refresh(client: &Client, token: &str) -> Answer {
    let body = json!({ "refresh_token": token });
    let path = "/v1/sessions/refresh";
    client.command(Method::POST, path, Some(body)).await
}

/// The access token and the refresh token.
fn tokens(answer: Answer) -> (String, String) {
    let answer = answer.expect(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    // A repeated answer says what is left.
    assert!((1..=900).contains(&body["expires_in"].as_i64().unwrap()));
    let text = |field: &str| body[field].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

#[tokio::test]
async fn concurrent_refreshes_get_the_same_answer() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let (_, token) = tokens(miller.sign_in("miller").await);
    let all = join_all((0..20).map(|_| refresh(&miller, &token))).await;
    let mut next: Vec<_> = all.into_iter().map(tokens).collect();
    next.dedup();
    assert_eq!(next.len(), 1, "one rotation");
    tokens(refresh(&miller, &next[0].1).await);
}

#[tokio::test]
async fn an_invalid_refresh_token_is_refused() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let (access, token) = tokens(miller.sign_in("miller").await);
    let is_refused = async |token: &str| {
        let answer = refresh(&miller, token).await;
        answer.expect_problem(401, "dead_token");
    };
    for bad in ["", "x", &access, &token[1..], &"A".repeat(8_000), "ö"] {
        is_refused(bad).await;
    }
    // An expired session, before and after it is deleted.
    let pool = &api.database.pool;
    sqlx::query("UPDATE write.sessions SET expires_at = now() - interval '1 second'")
        .execute(pool)
        .await
        .unwrap();
    is_refused(&token).await;
    let options = api.database.options_as(Role::WriteApi);
    housekeeping::clean(
        &Database::new(options, 1).unwrap(),
        chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(40_000),
    )
    .await
    .unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM write.sessions")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
    is_refused(&token).await;
}

#[tokio::test]
async fn signing_in_does_not_reveal_whether_a_handle_exists() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let timed = async |handle: &str| {
        let started = Instant::now();
        let answer = guess(&miller, handle).await.expect(401);
        (started.elapsed(), answer.body)
    };
    // Alternating, and the fastest of each, so that other load on the machine is not measured. Without the hash it would take
    // a tenth of the time.
    let (mut known, mut nobody) = (Duration::MAX, Duration::MAX);
    for _ in 0..9 {
        let (one, other) = (timed("miller").await, timed("nobody").await);
        assert_eq!(one.1, other.1);
        (known, nobody) = (known.min(one.0), nobody.min(other.0));
    }
    let ratio = known.as_secs_f64() / nobody.as_secs_f64();
    assert!((0.4..2.5).contains(&ratio), "{known:?} and {nobody:?}");
}

#[tokio::test]
async fn a_flood_of_sign_ins_is_refused_and_not_queued_without_limit() {
    let api = Api::start().await;
    let client = api.client();
    let handles: Vec<String> = (0..400).map(|n| format!("nobody_{n}")).collect();
    let started = Instant::now();
    let all = join_all(handles.iter().map(|handle| guess(&client, handle))).await;
    let count = |status: u16| all.iter().filter(|answer| answer.status == status).count();
    // 100 of one address are checked, and all of them may wait; on a busy machine some do so for too long.
    assert!(count(401) > 0);
    assert_eq!(count(401) + count(503), 100);
    assert_eq!(count(429), 300);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_key_returns_the_same_tokens() {
    let api = Api::start().await;
    api.person("miller").await;
    let with_key = async |client: &Client, path: &str, key: &str, body: &Value| {
        let request = client.request(Method::POST, path);
        let request = request.header("Idempotency-Key", key).json(body);
        client.send(request).await
    };
    let credentials = json!({ "handle": "miller", "password": PASSWORD });
    let first = with_key(&api.client(), "/v1/sessions", "a", &credentials).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let first = tokens(first);

    let api = api.restart().await;
    let client = api.client();
    let again = with_key(&client, "/v1/sessions", "a", &credentials).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(tokens(again), first);
    let wrong = json!({ "handle": "miller", "password": "a wrong password" });
    let answer = with_key(&client, "/v1/sessions", "a", &wrong).await;
    answer.expect_problem(401, "wrong_credentials");

    let path = "/v1/sessions/refresh";
    let body = json!({ "refresh_token": first.1 });
    let second = tokens(with_key(&client, path, "b", &body).await);
    let again = with_key(&client, path, "b", &body).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(tokens(again), second);
    // The same key for another request.
    let reused = with_key(&client, "/v1/sessions", "b", &credentials).await;
    reused.expect_problem(422, "idempotency_key_reused");
    // Concurrent requests with one key are one.
    let body = json!({ "refresh_token": second.1 });
    let all = join_all((0..10).map(|_| with_key(&client, path, "c", &body))).await;
    let third = tokens(with_key(&client, path, "c", &body).await);
    for answer in all {
        assert_eq!(tokens(answer), third);
    }

    // The commands and sessions of an account share its keys.
    let miller = client.with_token(&second.0);
    let reused = with_key(&miller, "/v1/posts", "b", &json!({ "text": "hello" })).await;
    reused.expect_problem(422, "idempotency_key_reused");

    // No token is stored.
    let stored: Vec<String> = sqlx::query_scalar("SELECT answer::text FROM write.idempotency")
        .fetch_all(&api.database.pool)
        .await
        .unwrap();
    assert!(!stored.is_empty());
    for answer in stored {
        for token in [&first.1, &second.1, &second.0] {
            assert!(!answer.contains(token));
        }
    }
}
