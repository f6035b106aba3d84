//! The change of one's own password.

use feedmill_tests::client::PASSWORD;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{harness::Api, session_client::SignedIn};

#[tokio::test]
async fn a_change_of_the_password_ends_the_other_sessions() {
    let api = Api::start().await;
    api.person("miller").await;
    let other = SignedIn::new(&api, "miller").await;
    let own = SignedIn::new(&api, "miller").await;
    let change = async |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        let request = own.client.request(Method::PUT, "/v1/me/password");
        let request = request.header("Idempotency-Key", "a").json(&body);
        own.client.send(request).await
    };
    let wrong = change("a wrong password", "stone and water").await;
    let wrong = wrong.expect_problem(422, "wrong_password");
    assert_eq!(wrong.fields(), ["current_password"]);
    let short = change(PASSWORD, "short").await;
    let short = short.expect_problem(422, "invalid_request");
    assert_eq!(short.fields(), ["new_password"]);
    other.assert_in().await;

    let done = change(PASSWORD, "stone and water").await.expect(204);
    assert_eq!(done.header("idempotency-replayed"), None);
    let again = change(PASSWORD, "stone and water").await.expect(204);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let reused = change(PASSWORD, "another password").await;
    reused.expect_problem(422, "idempotency_key_reused");
    other.assert_out().await;
    own.assert_in().await;

    let client = api.client();
    let sign_in = async |password: &str| {
        let body = json!({ "handle": "miller", "password": password });
        let path = "/v1/sessions";
        client.command(Method::POST, path, Some(body)).await
    };
    let old = sign_in(PASSWORD).await;
    old.expect_problem(401, "wrong_credentials");
    sign_in("stone and water").await.expect(201);
}

#[tokio::test]
async fn guessing_the_current_password_is_limited() {
    let api = Api::start().await;
    api.person("miller").await;
    let own = SignedIn::new(&api, "miller").await;
    let body = json!({ "current_password": "a wrong password", "new_password": "stone and water" });
    let mut last = StatusCode::OK;
    // A new minute may begin once during the attempts.
    for _ in 0..21 {
        let path = "/v1/me/password";
        let answer = own.client.command(Method::PUT, path, Some(body.clone()));
        last = answer.await.status;
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    // Signing in is not.
    SignedIn::new(&api, "miller").await;
}
