//! A client that signs in and out.

use feedmill_tests::client::{Answer, Client, PASSWORD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Api;

/// A client that is signed in.
pub struct SignedIn {
    /// With its access token.
    pub client: Client,
    access: String,
    refresh: String,
}

impl SignedIn {
    pub async fn new(api: &Api, handle: &str) -> Self {
        Self::on(api, handle, None).await
    }

    /// On a device with this name.
    pub async fn on(api: &Api, handle: &str, device_name: Option<&str>) -> Self {
        let body = json!({ "handle": handle, "password": PASSWORD, "device_name": device_name });
        let client = api.client();
        let answer = client.command(Method::POST, "/v1/sessions", Some(body));
        Self::of(&client, answer.await)
    }

    fn of(client: &Client, answer: Answer) -> Self {
        let tokens = answer.expect(201).json();
        let text = |field: &str| tokens[field].as_str().unwrap().to_owned();
        let access = text("access_token");
        Self {
            client: client.with_token(&access),
            access,
            refresh: text("refresh_token"),
        }
    }

    pub fn access_token(&self) -> &str {
        &self.access
    }

    /// Ends sessions.
    pub async fn delete(&self, path: &str) -> Answer {
        self.client.command(Method::DELETE, path, None).await
    }

    pub async fn refresh(&self) -> Answer {
        let body = json!({ "refresh_token": self.refresh });
        let path = "/v1/sessions/refresh";
        self.client.command(Method::POST, path, Some(body)).await
    }

    /// The same client with its next tokens.
    pub async fn refreshed(&self) -> Self {
        Self::of(&self.client, self.refresh().await)
    }

    async fn list(&self) -> Answer {
        let path = "/v1/sessions";
        self.client.command(Method::GET, path, None).await
    }

    /// The sessions of the account.
    pub async fn sessions(&self) -> Vec<Value> {
        let answer = self.list().await.expect(200);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.json()["items"].as_array().unwrap().clone()
    }

    /// The id of its own session.
    pub async fn session(&self) -> String {
        let sessions = self.sessions().await;
        let current = sessions.iter().find(|session| session["current"] == true);
        current.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Whether its access token is refused.
    pub async fn is_refused(&self) -> bool {
        self.list().await.status == 401
    }

    /// Asserts that neither of its tokens is accepted any more.
    pub async fn assert_out(&self) {
        let refused = self.list().await.expect_problem(401, "session_ended");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
        self.refresh().await.expect_problem(401, "dead_token");
    }

    /// Asserts that its session goes on.
    pub async fn assert_in(&self) {
        self.list().await.expect(200);
    }
}
