//! Signing up with an idempotency key: nobody is signed in, so that strangers may choose the same key.

use feedmill_tests::client::{Answer, PASSWORD};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Api;

async fn sign_up(api: &Api, key: &str, handle: &str, password: &str) -> Answer {
    let body = json!({ "handle": handle, "display_name": "M", "password": password });
    let client = api.client();
    let request = client.request(Method::POST, "/v1/accounts");
    let request = request.header("Idempotency-Key", key).json(&body);
    client.send(request).await
}

/// Whether the answer was replayed, and the account.
fn account(answer: Answer) -> (bool, Value) {
    let answer = answer.expect(201);
    let replayed = answer.header("idempotency-replayed").is_some();
    (replayed, answer.json())
}

#[tokio::test]
async fn strangers_share_no_keys() {
    let api = Api::start().await;
    let miller = account(sign_up(&api, "1", "miller", PASSWORD).await);
    let baker = account(sign_up(&api, "1", "baker", PASSWORD).await);
    assert_eq!((miller.0, baker.0), (false, false));
    assert_ne!(miller.1["id"], baker.1["id"]);
    // Each repeats its own answer.
    let again = account(sign_up(&api, "1", "miller", PASSWORD).await);
    assert_eq!(again, (true, miller.1));
    let again = account(sign_up(&api, "1", "baker", PASSWORD).await);
    assert_eq!(again, (true, baker.1));
    // Whoever does not know the password is not the one who signed up.
    let stranger = sign_up(&api, "1", "miller", "a wrong password").await;
    let stranger = stranger.expect_problem(409, "handle_taken");
    assert_eq!(stranger.header("idempotency-replayed"), None);
    assert_eq!(stranger.fields(), ["handle"]);
}

#[tokio::test]
async fn concurrent_sign_ups_with_one_key_are_one() {
    let api = Api::start().await;
    let all = join_all((0..10).map(|_| sign_up(&api, "1", "miller", PASSWORD))).await;
    let (replayed, mut accounts): (Vec<_>, Vec<_>) = all.into_iter().map(account).unzip();
    let replayed = replayed.into_iter().filter(|replayed| *replayed);
    accounts.dedup();
    assert_eq!((replayed.count(), accounts.len()), (9, 1));
}

#[tokio::test]
async fn no_password_is_stored() {
    let api = Api::start().await;
    account(sign_up(&api, "1", "miller", PASSWORD).await);
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'write'",
    )
    .fetch_all(&api.database.pool)
    .await
    .unwrap();
    for table in tables {
        let sql = format!("SELECT t::text FROM write.{table} AS t");
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(&api.database.pool)
            .await
            .unwrap();
        for row in rows {
            assert!(!row.contains(PASSWORD), "{table}: {row}");
        }
    }
    // Nothing that can be computed from the request alone: another installation has other fingerprints and scopes.
    let other = Api::start().await;
    account(sign_up(&other, "1", "miller", PASSWORD).await);
    let stored = async |api: &Api| {
        let select = "SELECT account_id::text, fingerprint::text FROM write.idempotency";
        let row: (String, String) = sqlx::query_as(select)
            .fetch_one(&api.database.pool)
            .await
            .unwrap();
        row
    };
    let (one, another) = (stored(&api).await, stored(&other).await);
    assert_ne!(one.0, another.0);
    assert_ne!(one.1, another.1);
}
