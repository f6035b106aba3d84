use std::time::Duration;

use chrono::TimeDelta;
use feedmill_service::Signer;
use reqwest::Method;
use uuid::Uuid;

use crate::app::{App, account_id, now};

const PATHS: [&str; 13] = [
    "/v1/feed",
    "/v1/digest?period=week",
    "/v1/conversations",
    "/v1/notifications",
    "/v1/conversations/018f0000-0000-7000-8000-000000000001/messages",
    "/v1/posts/018f0000-0000-7000-8000-000000000001",
    "/v1/posts/018f0000-0000-7000-8000-000000000001/replies",
    "/v1/users/@user1",
    "/v1/users/@user1/posts",
    "/v1/users/@user1/followers",
    "/v1/users/@user1/following",
    "/v1/me",
    "/v1/stream",
];

#[tokio::test]
async fn every_route_needs_a_valid_token() {
    let app = App::start().await;
    let me = app.account(1).await;
    let ttl = Duration::from_mins(10);
    let other = |seed, issuer, audience| Signer::new([seed; 32], issuer, audience).unwrap();
    let valid = app.token(me);
    let (head, rest) = valid.split_once('.').unwrap();
    let bad_tokens = [
        String::new(),
        "nonsense".to_owned(),
        format!("eyJhbGciOiJub25lIn0.{}.", rest.split_once('.').unwrap().0),
        format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{rest}"),
        format!("{head}.{}", rest.replace('.', "A.")),
        app.signer
            .sign(me, ttl, now() - TimeDelta::hours(1))
            .unwrap(),
        other(8, "feedmill", "feedmill")
            .sign(me, ttl, now())
            .unwrap(),
        other(7, "elsewhere", "feedmill")
            .sign(me, ttl, now())
            .unwrap(),
        other(7, "feedmill", "elsewhere")
            .sign(me, ttl, now())
            .unwrap(),
    ];
    for path in PATHS {
        let missing = app.send(Method::GET, path, &[]).await;
        assert_eq!(missing.code(), (401, "unauthorized"), "{path}");
        assert!(missing.headers.contains_key("www-authenticate"));
        assert_eq!(missing.headers["content-type"], "application/problem+json");
        for token in &bad_tokens {
            let headers = [
                ("authorization", &*format!("Bearer {token}")),
                ("feedmill-min-position", "1:9"),
            ];
            assert_eq!(
                app.send(Method::GET, path, &headers).await.code(),
                (401, "unauthorized"),
                "{path} {token}"
            );
        }
    }
}

#[tokio::test]
async fn what_does_not_exist_is_404() {
    let app = App::start().await;
    let me = app.account(1).await;
    let nothing = Uuid::from_u128(77);
    for path in [
        format!("/v1/posts/{nothing}"),
        format!("/v1/posts/{nothing}/replies"),
        format!("/v1/conversations/{nothing}/messages"),
        format!("/v1/users/{nothing}"),
        format!("/v1/users/{nothing}/posts"),
        format!("/v1/users/{nothing}/followers"),
        format!("/v1/users/{nothing}/following"),
        "/v1/users/@nobody".to_owned(),
        "/v1/users/@nobody/posts".to_owned(),
        "/v1/users/@nobody/followers".to_owned(),
        "/v1/users/@nobody/following".to_owned(),
        "/v1/users/user1".to_owned(),
        "/v1/users/@".to_owned(),
        "/v1/users/@a%00b".to_owned(),
        "/v1/users/%FF%FE".to_owned(),
        "/v1/posts/1".to_owned(),
        "/v1/posts/1/replies".to_owned(),
        "/v1/posts/%FF".to_owned(),
        "/v1/conversations/x/messages".to_owned(),
        "/v1/nothing".to_owned(),
        "/v1/feed/".to_owned(),
        "/".to_owned(),
    ] {
        let reply = app.get(me, &path).await;
        assert_eq!(reply.code(), (404, "not_found"), "{path}");
        assert_eq!(
            reply.headers["content-type"], "application/problem+json",
            "{path}"
        );
    }
}

#[tokio::test]
async fn other_methods_than_get_are_405() {
    let app = App::start().await;
    let bearer = format!("Bearer {}", app.token(account_id(1)));
    for path in PATHS {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let reply = app.send(method, path, &[("authorization", &bearer)]).await;
            assert_eq!(reply.code(), (405, "method_not_allowed"), "{path}");
            assert_eq!(reply.headers["allow"], "GET,HEAD");
        }
    }
}

#[tokio::test]
async fn an_unavailable_database_is_503() {
    let app = App::start().await;
    let me = app.account(1).await;
    app.run("ALTER SCHEMA feed RENAME TO renamed").await;
    let missing = app.get(me, "/v1/feed").await;
    assert_eq!(
        missing.code(),
        (503, "unavailable"),
        "the tables do not exist yet"
    );
    assert!(missing.headers.contains_key("retry-after"));
    assert_eq!(app.get(me, "/v1/me").await.status, 200);
    app.run("ALTER SCHEMA renamed RENAME TO feed").await;
    assert_eq!(app.get(me, "/v1/feed").await.status, 200);

    app.database.close();
    let away = app.get(me, "/v1/feed").await;
    assert_eq!(away.code(), (503, "database_unavailable"));
    assert!(away.headers.contains_key("retry-after"));
}
