//! Headers that every request must have, and every response has.

use axum::{
    Router,
    routing::{get, post},
};
use feedmill_service::extract;
use reqwest::Method;

use crate::support::{send_raw, short_limits, start};

async fn panics() {
    panic!("as the test wants");
}

#[tokio::test]
async fn every_response_forbids_sniffing() {
    let app = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/panic", get(panics))
        .route(
            "/echo",
            post(|extract::Body(bytes): extract::Body| async move { bytes }),
        );
    let server = start(app, short_limits()).await;
    let client = &server.client;
    let get = |path: &str| client.request(Method::GET, path);
    let large = client.request(Method::POST, "/echo").body(vec![0; 2_000]);
    let requests = [
        (get("/hello"), 200),
        (get("/health/live"), 200),
        (get("/nowhere"), 404),
        (get("/echo"), 405),
        (large, 413),
        (get("/panic"), 500),
    ];
    for (request, status) in requests {
        let answer = client.send(request).await.expect(status);
        let nosniff = answer.header("x-content-type-options");
        assert_eq!(nosniff, Some("nosniff"), "{status}");
    }
}

#[tokio::test]
async fn a_request_names_one_host() {
    let app = Router::new().route("/", get(|| async { "hello" }));
    let server = start(app, short_limits()).await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n", 400),
        ("GET /nowhere HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n", 200),
        ("GET / HTTP/1.0\r\n", 200),
    ] {
        let request = format!("{head}Connection: close\r\n\r\n");
        let answer = send_raw(&mut server.connect().await, request.as_bytes()).await;
        let line = answer.lines().next().unwrap_or_default();
        let found = line.split(' ').nth(1);
        assert_eq!(
            found,
            Some(status.to_string().as_str()),
            "{head:?}: {answer}"
        );
        assert_eq!(answer.contains("invalid_host"), status == 400, "{answer}");
    }
}
