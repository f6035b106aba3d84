//! What is stored for an idempotency key.

use feedmill_tests::client::PASSWORD;
use reqwest::Method;
use serde_json::json;
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
