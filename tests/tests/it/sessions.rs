//! Passwords, sessions and refresh tokens.

use feedmill_tests::{
    client::{Answer, Client, PASSWORD, assert_problem},
    kit::{Stack, StackConfig},
};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_works_once() {
    let mut stack = Stack::start(StackConfig::default()).await;
    let client = stack.client();
    client.create_account("alice", "Alice").await.expect(201);

    // Another session of the account is another family.
    let other = client.sign_in("alice").await.expect(201);
    let first = client.sign_in("Alice").await.expect(201);
    assert_eq!(first.json()["token_type"], "Bearer");
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert!(
        first.json()["expires_in"]
            .as_i64()
            .is_some_and(|seconds| seconds > 0),
        "{first:?}"
    );
    let me = client.with_token(&access(&first));
    me.post("hello", None).await.expect(201);
    me.get("/v1/me").await.expect(200);

    // Sessions outlive the process that created them.
    let ended = stack.write[0].stop().await;
    assert!(ended.success(), "SIGTERM: {ended}");
    stack.write[0].restart().await;
    let second = refresh(&client, &first).await.expect(201);
    client
        .with_token(&access(&second))
        .post("again", None)
        .await
        .expect(201);
    let third = refresh(&client, &second).await.expect(201);

    // A used token that is sent again ends the family: the newest token stops working too.
    for token in [&first, &third] {
        let refused = refresh(&client, token).await;
        refused.expect_problem(401, "dead_token");
    }
    refresh(&client, &other).await.expect(201);

    for (handle, password) in [("alice", "wrong password"), ("nobody_here", PASSWORD)] {
        let body = json!({"handle": handle, "password": password});
        let answer = client
            .command(Method::POST, "/v1/sessions", Some(body))
            .await;
        answer.expect_problem(401, "wrong_credentials");
    }
    let token = other.json()["refresh_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for bad in [
        String::new(),
        "x".to_owned(),
        token[..token.len() - 4].to_owned() + "AAAA",
        access(&other),
    ] {
        let body = json!({"refresh_token": bad});
        let answer = client
            .command(Method::POST, "/v1/sessions/refresh", Some(body))
            .await;
        assert_problem(&answer, 401, &format!("refresh token {bad:?}"));
    }
}

fn access(session: &Answer) -> String {
    session.json()["access_token"]
        .as_str()
        .expect("an access token")
        .to_owned()
}

async fn refresh(client: &Client, session: &Answer) -> Answer {
    let body = json!({"refresh_token": session.json()["refresh_token"]});
    client
        .command(Method::POST, "/v1/sessions/refresh", Some(body))
        .await
}
