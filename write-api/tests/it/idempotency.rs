//! What is stored for an idempotency key.

use feedmill_tests::client::PASSWORD;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::Api;

/// A plain hash of a body with a password could be guessed.
#[tokio::test]
async fn a_fingerprint_is_not_a_plain_hash() {
    let api = Api::start().await;
    let client = api.client();
    let body = json!({ "handle": "miller", "display_name": "M", "password": PASSWORD });
    let request = client
        .request(Method::POST, "/v1/accounts")
        .header("Idempotency-Key", "a");
    client.send(request.json(&body)).await.expect(201);
    let prints: Vec<Vec<u8>> = sqlx::query_scalar("SELECT fingerprint FROM write.idempotency")
        .fetch_all(&api.database.pool)
        .await
        .unwrap();
    let plain = Sha256::digest(format!("POST\n/v1/accounts\n{body}"));
    assert!(!prints.is_empty() && prints.iter().all(|print| print[..] != plain[..]));
}

/// What people write is in none of the stored answers, and of what changed nothing there is only that it did. A repeated
/// request still gets the first answer.
#[tokio::test]
async fn no_text_is_stored() {
    let api = Api::start().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let send = async |method: Method, path: String, body: Value, key: &str| {
        let request = miller.request(method, &path).header("Idempotency-Key", key);
        miller.send(request.json(&body)).await
    };
    let members = json!({ "members": [baker.id], "title": "secret title" });
    let again = json!({ "members": [baker.id], "title": "secret other title" });
    let pair = miller
        .create_conversation(&[baker.id], Some("secret title"))
        .await;
    let conversation = pair.expect(201).id();
    let other = api.person("eater").await.id;
    let group = json!({ "members": [baker.id, other], "title": "secret group" });
    let post = miller.post("flour", None).await.expect(201).id();
    let bio = json!({ "bio": "secret bio" });
    let requests = [
        (
            Method::POST,
            "/v1/posts".to_owned(),
            json!({ "text": "secret post" }),
        ),
        (
            Method::POST,
            "/v1/posts".to_owned(),
            json!({ "text": "secret reply", "reply_to": post }),
        ),
        (Method::POST, "/v1/conversations".to_owned(), members),
        (Method::POST, "/v1/conversations".to_owned(), again),
        (Method::POST, "/v1/conversations".to_owned(), group),
        (
            Method::POST,
            format!("/v1/conversations/{conversation}/messages"),
            json!({ "text": "secret message" }),
        ),
        (Method::PATCH, "/v1/me".to_owned(), bio.clone()),
        (Method::PATCH, "/v1/me".to_owned(), bio),
        (Method::PUT, format!("/v1/posts/{post}/like"), json!({})),
        (Method::PUT, format!("/v1/posts/{post}/like"), json!({})),
    ];
    let mut first = Vec::new();
    for (index, (method, path, body)) in requests.iter().enumerate() {
        let answer = send(
            method.clone(),
            path.clone(),
            body.clone(),
            &format!("key-{index}"),
        )
        .await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        first.push(answer);
    }
    let stored: Vec<(String, Value)> =
        sqlx::query_as("SELECT key, answer FROM write.idempotency ORDER BY key")
            .fetch_all(&api.database.pool)
            .await
            .unwrap();
    assert_eq!(stored.len(), requests.len());
    for (key, answer) in &stored {
        assert!(!answer.to_string().contains("secret"), "{key}: {answer}");
    }
    let unchanged = stored
        .iter()
        .filter(|(_, answer)| *answer == json!({ "outcome": "Unchanged" }));
    let unchanged: Vec<&str> = unchanged.map(|(key, _)| &**key).collect();
    assert_eq!(unchanged, ["key-2", "key-3", "key-7", "key-9"]);

    let api = api.restart().await;
    let miller = api.client().with_token(&api.token(miller.id));
    for (index, (method, path, body)) in requests.iter().enumerate() {
        let request = miller.request(method.clone(), path);
        let request = request.header("Idempotency-Key", format!("key-{index}"));
        let again = miller.send(request.json(body)).await;
        assert_eq!(
            again.header("idempotency-replayed"),
            Some("true"),
            "{again:?}"
        );
        let expected = &first[index];
        assert_eq!(
            (again.status, &again.body),
            (expected.status, &expected.body)
        );
        assert_eq!(again.header("location"), expected.header("location"));
        assert!(again.header("feedmill-position").is_some());
    }
}
