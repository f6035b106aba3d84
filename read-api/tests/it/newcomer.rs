//! The reads of an account of an identity provider that has given no command yet.

use axum::{Json, Router, routing::get};
use chrono::DateTime;
use feedmill_events::Tag;
use feedmill_service::{
    Health, Shutdown, Signer, Verifier, telemetry,
    tokens::{Trust, default_handle, external_account},
};
use feedmill_tests::{
    kit::wait_until,
    token::{self, now},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::{
    app::{App, Reply},
    nats::Announcer,
};

/// A read API that accepts the tokens of an identity provider.
struct Community {
    app: App,
    provider: token::Signer,
}

impl Community {
    async fn start() -> Self {
        telemetry::install_crypto_provider();
        let pem = token::Signer::new_key();
        let signer = Signer::from_pem(&pem, "feedmill", "feedmill").unwrap();
        let keys = signer.jwks();
        let routes = Router::new().route(
            "/.well-known/jwks.json",
            get(move || async move { Json(keys) }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let provider = token::Signer::new(&pem, &url).await;
        let trust = Trust {
            issuer: "feedmill".to_owned(),
            audience: "feedmill".to_owned(),
            external: true,
        };
        let keys = format!("{url}/.well-known/jwks.json");
        let verifier = Verifier::from_jwks(&keys, trust, &Health::new(), &Shutdown::new()).unwrap();
        let community = Self {
            app: App::with_verifier(1 << 26, 1 << 26, signer, verifier).await,
            provider,
        };
        wait_until("the keys", async || {
            community
                .get(&community.token("anybody", &json!({})), "/v1/feed")
                .await
                .status
                == 200
        })
        .await;
        community
    }

    /// A token for this subject, with more claims.
    fn token(&self, subject: &str, more: &Value) -> String {
        let mut claims = token::Signer::claims(Uuid::nil());
        claims["sub"] = json!(subject);
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.provider.sign(&claims)
    }

    async fn get(&self, token: &str, path: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", &*bearer)];
        self.app.send(Method::GET, path, &headers).await
    }
}

fn account(subject: &str) -> Uuid {
    external_account("feedmill", subject)
}

#[tokio::test]
async fn every_read_of_a_newcomer_is_answered() {
    let community = Community::start().await;
    let me = account("google|1");
    let hints = json!({"preferred_username": "Miller", "name": "The Miller"});
    let token = community.token("google|1", &hints);
    let profile = community.get(&token, "/v1/me").await;
    let created_at = profile.body["created_at"].as_str().unwrap();
    let age = now() - DateTime::parse_from_rfc3339(created_at).unwrap().to_utc();
    assert!(age.num_seconds().abs() < 60, "{created_at}");
    assert_eq!(
        profile.body,
        json!({
            "id": me, "handle": "miller", "display_name": "The Miller", "bio": "", "created_at": created_at,
            "followers_count": 0, "following_count": 0, "connections_count": 0, "posts_count": 0,
            "default_audience": "public", "who_may_message": "everyone",
        })
    );
    let by_id = community.get(&token, &format!("/v1/users/{me}")).await;
    assert_eq!(by_id.body["handle"], "miller");
    for list in ["posts", "followers", "following", "connections", "tags"] {
        let path = format!("/v1/users/{me}/{list}");
        let page = community.get(&token, &path).await;
        assert_eq!(page.body["items"], json!([]), "{path}");
    }
    for path in [
        "/v1/feed",
        "/v1/digest",
        "/v1/bookmarks",
        "/v1/likes",
        "/v1/conversations",
        "/v1/notifications",
        "/v1/connections/requests?direction=incoming",
        "/v1/connections/requests?direction=outgoing",
        "/v1/relationships",
        "/v1/mutes",
        "/v1/blocks",
        "/v1/me/posts",
        "/v1/me/posts?as=public",
        "/v1/tags",
        "/v1/counts",
    ] {
        assert_eq!(community.get(&token, path).await.status, 200, "{path}");
    }

    // To others, there is no such account yet.
    let other = community.token("google|2", &json!({}));
    for path in [
        "",
        "/posts",
        "/followers",
        "/following",
        "/connections",
        "/tags",
    ] {
        let path = format!("/v1/users/{me}{path}");
        let reply = community.get(&other, &path).await;
        assert_eq!(reply.code(), (404, "not_found"), "{path}");
    }
    let by_handle = community.get(&token, "/v1/users/@miller").await;
    assert_eq!(by_handle.code(), (404, "not_found"));
}

#[tokio::test]
async fn the_profile_of_a_newcomer_follows_what_happens() {
    let community = Community::start().await;
    let announcer = Announcer::of(&community.app).await;
    let me = account("google|1");
    let hints = json!({"preferred_username": "user5", "name": "Me"});
    let token = community.token("google|1", &hints);
    let handle = async || {
        let reply = community.get(&token, "/v1/me").await;
        assert_eq!(reply.status, 200);
        reply.body["handle"].as_str().unwrap().to_owned()
    };
    assert_eq!(handle().await, "user5");
    let owner = community.app.account(5).await;
    announcer
        .announce("profiles", &[Tag::handle("user5")])
        .await;
    let taken = async || handle().await == default_handle(me);
    wait_until("the handle is taken", taken).await;
    community
        .app
        .run(&format!(
            "UPDATE accounts SET handle = 'another' WHERE id = '{owner}'"
        ))
        .await;
    announcer
        .announce("profiles", &[Tag::account_summary(owner)])
        .await;
    wait_until("the handle is free", async || handle().await == "user5").await;

    community
        .app
        .run(&format!(
            "INSERT INTO accounts VALUES ('{me}', 'chosen', 'Me', 'hello', now())"
        ))
        .await;
    announcer
        .announce("profiles", &[Tag::account_summary(me), Tag::profile(me)])
        .await;
    wait_until("the account", async || handle().await == "chosen").await;
    let reply = community.get(&token, &format!("/v1/users/{me}")).await;
    assert_eq!(reply.body["bio"], "hello");
}
