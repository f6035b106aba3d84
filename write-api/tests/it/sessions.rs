//! Passwords and refresh tokens.

use std::time::{Duration, Instant};

use feedmill_service::Database;
use futures::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use write_api::housekeeping;

use crate::harness::{Api, Person, problem};

async fn sign_in(api: &Api, handle: &str, password: &str) -> Response {
    api.post(
        "/v1/sessions",
        json!({ "handle": handle, "password": password }),
    )
    .await
}

async fn refresh(api: &Api, token: &str) -> Response {
    api.post("/v1/sessions/refresh", json!({ "refresh_token": token }))
        .await
}

async fn tokens(response: Response) -> (String, String) {
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 900);
    let text = |field: &str| body[field].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// Whether a command with this access token is accepted.
async fn works(api: &Api, token: &str) -> bool {
    let request = api
        .request(Method::POST, "/v1/posts")
        .bearer_auth(token)
        .json(&json!({ "text": "hello" }));
    request.send().await.unwrap().status() == 201
}

#[tokio::test]
async fn a_session_continues_by_refreshing() {
    let api = Api::start().await;
    api.person("miller").await;
    let (access, first) = tokens(sign_in(&api, "Miller", "long enough").await).await;
    assert!(works(&api, &access).await);
    let (access, second) = tokens(refresh(&api, &first).await).await;
    assert!(works(&api, &access).await);
    assert_ne!(first, second);
    let (_, third) = tokens(refresh(&api, &second).await).await;
    tokens(refresh(&api, &third).await).await;
}

#[tokio::test]
async fn a_used_refresh_token_ends_its_session_and_no_other() {
    let api = Api::start().await;
    api.person("miller").await;
    let (_, other) = tokens(sign_in(&api, "miller", "long enough").await).await;
    let (_, first) = tokens(sign_in(&api, "miller", "long enough").await).await;
    let (_, second) = tokens(refresh(&api, &first).await).await;
    let dead = (401, "dead_token".to_owned(), vec![]);
    assert_eq!(problem(refresh(&api, &first).await).await, dead);
    assert_eq!(problem(refresh(&api, &second).await).await, dead);
    tokens(refresh(&api, &other).await).await;
}

#[tokio::test]
async fn one_of_many_concurrent_refreshes_succeeds() {
    let api = Api::start().await;
    api.person("miller").await;
    let (_, token) = tokens(sign_in(&api, "miller", "long enough").await).await;
    let all = join_all((0..20).map(|_| refresh(&api, &token))).await;
    assert_eq!(
        all.iter()
            .filter(|response| response.status() == 201)
            .count(),
        1
    );
    assert_eq!(
        all.iter()
            .filter(|response| response.status() == 401)
            .count(),
        19
    );
}

#[tokio::test]
async fn an_invalid_refresh_token_is_refused() {
    let api = Api::start().await;
    api.person("miller").await;
    let (access, token) = tokens(sign_in(&api, "miller", "long enough").await).await;
    let dead = (401, "dead_token".to_owned(), vec![]);
    for bad in ["", "x", &access, &token[1..], &"A".repeat(100_000), "ö"] {
        assert_eq!(problem(refresh(&api, bad).await).await, dead, "{bad:.20}");
    }
    // An expired session, before and after it is deleted.
    let pool = api.database.pool().await;
    sqlx::query("UPDATE write.sessions SET expires_at = now() - interval '1 second'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(problem(refresh(&api, &token).await).await, dead);
    let options = api.database.service_url().parse().unwrap();
    housekeeping::clean(
        &Database::new(options, 1).unwrap(),
        chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(40_000),
    )
    .await
    .unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM write.sessions")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
    assert_eq!(problem(refresh(&api, &token).await).await, dead);
}

#[tokio::test]
async fn signing_in_does_not_reveal_whether_a_handle_exists() {
    let api = Api::start().await;
    api.person("miller").await;
    let timed = async |handle: &str| {
        let started = Instant::now();
        let response = sign_in(&api, handle, "a wrong password").await;
        let took = started.elapsed();
        (took, response.status(), response.text().await.unwrap())
    };
    // Alternating, and the fastest of each, so that other load on the machine is not measured. Without the hash it would take
    // a tenth of the time.
    let (mut known, mut nobody) = (Duration::MAX, Duration::MAX);
    for _ in 0..9 {
        let (one, other) = (timed("miller").await, timed("nobody").await);
        assert_eq!((one.1.as_u16(), &one.2), (401, &other.2));
        assert_eq!(one.1, other.1);
        (known, nobody) = (known.min(one.0), nobody.min(other.0));
    }
    let ratio = known.as_secs_f64() / nobody.as_secs_f64();
    assert!((0.4..2.5).contains(&ratio), "{known:?} and {nobody:?}");
}

#[tokio::test]
async fn guessing_is_limited_for_its_handle_only() {
    let api = Api::start().await;
    api.person("miller").await;
    api.person("baker").await;
    // A new minute may begin once during the attempts.
    let mut refused = None;
    for _ in 0..21 {
        let response = sign_in(&api, "miller", "a wrong password").await;
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("guessing is not limited");
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(problem(refused).await.1, "too_many_attempts");
    tokens(sign_in(&api, "baker", "long enough").await).await;
}

#[tokio::test]
async fn a_flood_of_sign_ins_is_refused_and_not_queued_without_limit() {
    let api = Api::start().await;
    let handles: Vec<String> = (0..400).map(|n| format!("nobody_{n}")).collect();
    let started = Instant::now();
    let all = join_all(
        handles
            .iter()
            .map(|handle| sign_in(&api, handle, "a wrong password")),
    )
    .await;
    let count = |status: u16| {
        all.iter()
            .filter(|response| response.status() == status)
            .count()
    };
    assert!(count(503) > 0 && count(401) > 0 && count(401) + count(503) == 400);
    assert!(started.elapsed() < Duration::from_secs(20));
    // Afterwards sign-ins work.
    api.person("miller").await;
    tokens(sign_in(&api, "miller", "long enough").await).await;
}

#[tokio::test]
async fn a_key_returns_the_same_tokens() {
    let mut api = Api::start().await;
    let miller = api.person("miller").await.id;
    let with_key = async |api: &Api, path: &str, key: &str, body: &Value| {
        let request = api
            .request(Method::POST, path)
            .header("Idempotency-Key", key);
        request.json(body).send().await.unwrap()
    };
    let credentials = json!({ "handle": "miller", "password": "long enough" });
    let first = with_key(&api, "/v1/sessions", "a", &credentials).await;
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let first = tokens(first).await;

    api.stop().await;
    api.start_again(&[]).await;
    let again = with_key(&api, "/v1/sessions", "a", &credentials).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(tokens(again).await, first);
    let wrong = json!({ "handle": "miller", "password": "a wrong password" });
    assert_eq!(
        with_key(&api, "/v1/sessions", "a", &wrong).await.status(),
        401
    );

    let body = json!({ "refresh_token": first.1 });
    let second = tokens(with_key(&api, "/v1/sessions/refresh", "b", &body).await).await;
    let again = with_key(&api, "/v1/sessions/refresh", "b", &body).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(tokens(again).await, second);
    // The same key for another request.
    let reused = with_key(&api, "/v1/sessions", "b", &credentials).await;
    assert_eq!(
        problem(reused).await,
        (422, "idempotency_key_reused".to_owned(), vec![])
    );
    // Concurrent requests with one key are one.
    let body = json!({ "refresh_token": second.1 });
    let all = join_all((0..10).map(|_| with_key(&api, "/v1/sessions/refresh", "c", &body))).await;
    let third = tokens(with_key(&api, "/v1/sessions/refresh", "c", &body).await).await;
    for response in all {
        assert_eq!(tokens(response).await, third);
    }

    // The commands and sessions of an account share its keys.
    let person = Person {
        api: &api,
        id: miller,
        token: second.0.clone(),
    };
    let post = person
        .request(Method::POST, "/v1/posts")
        .header("Idempotency-Key", "b");
    let reused = post.json(&json!({ "text": "hello" })).send().await.unwrap();
    assert_eq!(problem(reused).await.1, "idempotency_key_reused");

    // No token is stored.
    let pool = api.database.pool().await;
    let stored: Vec<String> = sqlx::query_scalar("SELECT answer::text FROM write.idempotency")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert!(!stored.is_empty());
    for answer in stored {
        assert!(
            !answer.contains(&first.1)
                && !answer.contains(&second.1)
                && !answer.contains(&second.0)
        );
    }
}
