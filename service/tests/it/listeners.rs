use std::net::{Ipv4Addr, SocketAddr};

use axum::{Router, routing::get};
use feedmill_service::{Health, Shutdown, http::Listeners};
use feedmill_tests::client::http;

use reqwest::Method;

use crate::support::{short_limits, start_admin};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[tokio::test]
async fn metrics_and_readiness_are_not_for_clients() {
    let listeners = Listeners::bind(ANY_PORT, "LISTEN", ANY_PORT).await.unwrap();
    let public = listeners.public_address().unwrap();
    let admin = listeners.admin_address().unwrap();
    let (health, shutdown) = (Health::new(), Shutdown::new());
    health.set("database", Err("connection refused".to_owned()));
    let stop = shutdown.clone();
    let served = tokio::spawn(async move {
        let app = Router::new().route("/v1/feed", get(|| async { "posts" }));
        let admin = Router::new().route("/list", get(|| async { "sessions" }));
        let limits = short_limits();
        listeners.serve(app, admin, &limits, &health, stop).await
    });
    let status = async |address: SocketAddr, path: &str| {
        let response = http().get(format!("http://{address}{path}")).send().await;
        response.unwrap().status().as_u16()
    };
    for (path, to_clients, to_operators) in [
        ("/v1/feed", 200, 404),
        ("/list", 404, 200),
        ("/health/live", 200, 200),
        ("/health/ready", 404, 503),
        ("/metrics", 404, 200),
    ] {
        assert_eq!(status(public, path).await, to_clients, "{path}");
        assert_eq!(status(admin, path).await, to_operators, "{path}");
    }
    shutdown.soft.cancel();
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_setting() {
    let first = Listeners::bind(ANY_PORT, "LISTEN", ANY_PORT).await.unwrap();
    let used = first.admin_address().unwrap();
    let error = Listeners::bind(ANY_PORT, "LISTEN", used).await.err();
    let message = error.unwrap().to_string();
    assert!(message.contains("ADMIN_LISTEN"), "{message}");
}

#[tokio::test]
async fn a_page_in_an_operators_browser_changes_nothing() {
    let server = start_admin(short_limits()).await;
    let ask = async |method: Method, origin: Option<&str>| {
        let mut request = http().request(method, server.url("/health/live"));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(Method::POST, Some("https://evil.example")).await, 422);
    assert_eq!(ask(Method::POST, Some("null")).await, 422);
    assert_eq!(ask(Method::POST, None).await, 405, "there is none");
    assert_eq!(ask(Method::GET, Some("https://evil.example")).await, 200);
}
