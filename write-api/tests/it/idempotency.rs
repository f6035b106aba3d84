//! A repeated request with an idempotency key returns the first answer.

use futures::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Api, Person, problem};

async fn send(person: &Person<'_>, key: &str, path: &str, body: &Value) -> Response {
    person
        .request(Method::POST, path)
        .header("Idempotency-Key", key)
        .json(body)
        .send()
        .await
        .unwrap()
}

async fn answer(response: Response) -> (u16, String, String, String) {
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let (location, position) = (header("location"), header("feedmill-position"));
    (
        response.status().as_u16(),
        location,
        position,
        response.text().await.unwrap(),
    )
}

#[tokio::test]
async fn a_key_returns_the_first_answer_even_after_a_restart() {
    let mut api = Api::start().await;
    let (id, token) = {
        let miller = api.person("miller").await;
        (miller.id, miller.token.clone())
    };
    let body = json!({ "text": "flour" });
    let first = {
        let miller = Person {
            api: &api,
            id,
            token: token.clone(),
        };
        let first = send(&miller, "a", "/v1/posts", &body).await;
        assert!(!first.headers().contains_key("idempotency-replayed"));
        answer(first).await
    };
    api.stop().await;
    api.start_again(&[]).await;
    let miller = Person {
        api: &api,
        id,
        token,
    };
    let again = send(&miller, "a", "/v1/posts", &body).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(answer(again).await, first);
    // The key with another body, with another path, and by another account.
    let other = send(&miller, "a", "/v1/posts", &json!({ "text": "bread" })).await;
    assert_eq!(
        problem(other).await,
        (422, "idempotency_key_reused".to_owned(), vec![])
    );
    let post: Value = serde_json::from_str(&first.3).unwrap();
    let like = format!("/v1/posts/{}/like", post["id"].as_str().unwrap());
    let other = miller
        .request(Method::PUT, &like)
        .header("Idempotency-Key", "a")
        .send()
        .await
        .unwrap();
    assert_eq!(problem(other).await.0, 422);
    let baker = api.person("baker").await;
    assert_ne!(
        answer(send(&baker, "a", "/v1/posts", &body).await).await,
        first
    );
}

#[tokio::test]
async fn concurrent_requests_with_one_key_are_one_command() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let body = json!({ "text": "flour" });
    let all = join_all((0..30).map(|_| send(&miller, "a", "/v1/posts", &body))).await;
    let replayed = all
        .iter()
        .filter(|one| one.headers().contains_key("idempotency-replayed"))
        .count();
    assert_eq!(replayed, 29);
    let mut answers = Vec::new();
    for one in all {
        answers.push(answer(one).await);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[tokio::test]
async fn a_refused_command_does_not_use_up_its_key() {
    let api = Api::start().await;
    let account = |key: &'static str, handle: &'static str| {
        let body = json!({ "handle": handle, "display_name": "M", "password": "long enough" });
        api.request(Method::POST, "/v1/accounts")
            .header("Idempotency-Key", key)
            .json(&body)
            .send()
    };
    let first = answer(account("a", "miller").await.unwrap()).await;
    assert_eq!(first.0, 201);
    let again = account("a", "miller").await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(answer(again).await, first);
    assert_eq!(problem(account("b", "miller").await.unwrap()).await.0, 409);
    assert_eq!(account("b", "baker").await.unwrap().status(), 201);

    // A plain hash of a body with a password could be guessed.
    let body =
        json!({ "handle": "miller", "display_name": "M", "password": "long enough" }).to_string();
    let pool = api.database.pool().await;
    let prints: Vec<Vec<u8>> = sqlx::query_scalar("SELECT fingerprint FROM write.idempotency")
        .fetch_all(&pool)
        .await
        .unwrap();
    let plain = Sha256::digest(format!("POST\n/v1/accounts\n{body}"));
    assert!(!prints.is_empty() && prints.iter().all(|print| print[..] != plain[..]));
}
