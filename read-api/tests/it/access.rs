use reqwest::Method;

use crate::app::{App, account_id};

#[tokio::test]
async fn a_request_without_a_token_does_not_wait_for_its_position() {
    let app = App::start().await;
    let headers = [("feedmill-min-position", "1:9")];
    let reply = app.send(Method::GET, "/v1/feed", &headers).await;
    assert_eq!(reply.code(), (401, "unauthorized"));
}

#[tokio::test]
async fn what_does_not_exist_is_404() {
    let app = App::start().await;
    let me = app.account(1).await;
    for path in [
        "/v1/users/@nobody/posts",
        "/v1/users/@nobody/followers",
        "/v1/users/@nobody/following",
        "/v1/users/%FF%FE",
        "/v1/posts/%FF",
        "/v1/feed/",
    ] {
        let reply = app.get(me, path).await;
        assert_eq!(reply.code(), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn a_405_names_the_allowed_methods() {
    let app = App::start().await;
    let bearer = format!("Bearer {}", app.token(account_id(1)));
    for path in ["/v1/feed", "/v1/stream"] {
        let headers = [("authorization", &*bearer)];
        let reply = app.send(Method::POST, path, &headers).await;
        assert_eq!(reply.code(), (405, "method_not_allowed"), "{path}");
        assert_eq!(reply.headers["allow"], "GET,HEAD", "{path}");
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
    let of_other_tables = format!("/v1/conversations/{me}/messages");
    assert_eq!(app.get(me, &of_other_tables).await.status, 404);
    app.run("ALTER SCHEMA renamed RENAME TO feed").await;
    assert_eq!(app.get(me, "/v1/feed").await.status, 200);

    app.database.close();
    let away = app.get(me, "/v1/feed").await;
    assert_eq!(away.code(), (503, "database_unavailable"));
    assert!(away.headers.contains_key("retry-after"));
}
