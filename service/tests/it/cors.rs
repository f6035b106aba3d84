//! What a browser is told about pages of other origins.

use axum::{Router, routing::get};
use feedmill_service::HttpArgs;
use feedmill_tests::{
    client::{Answer, http},
    openapi,
};
use reqwest::Method;

use crate::support::{Server, short_limits, start};

const APP: &str = "https://app.example";

async fn server(origins: &[&'static str]) -> Server {
    let args = HttpArgs {
        cors_origins: origins
            .iter()
            .map(|origin| origin.parse().unwrap())
            .collect(),
        ..short_limits()
    };
    start(Router::new().route("/list", get(async || "posts")), args).await
}

async fn send(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = http().request(method, server.url(path));
    let with = |request: reqwest::RequestBuilder, (name, value): &(&str, &str)| {
        request.header(*name, *value)
    };
    server.client.send(headers.iter().fold(request, with)).await
}

fn preflight(origin: &str) -> [(&str, &str); 3] {
    [
        ("Origin", origin),
        ("Access-Control-Request-Method", "PUT"),
        (
            "Access-Control-Request-Headers",
            "authorization,idempotency-key",
        ),
    ]
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_send_and_read() {
    let server = server(&[APP, "http://localhost:5173"]).await;
    for origin in [APP, "http://localhost:5173"] {
        let answer = send(&server, Method::OPTIONS, "/list", &preflight(origin))
            .await
            .expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-max-age"), Some("7200"));
        assert!(
            answer
                .header("access-control-allow-methods")
                .unwrap()
                .contains("PUT")
        );
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert!(
            headers.contains("idempotency-key") && headers.contains("last-event-id"),
            "{headers}"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        // Errors, too: without the headers a page could not read them.
        for (path, status) in [("/list", 200), ("/nowhere", 404)] {
            let answer = send(&server, Method::GET, path, &[("Origin", origin)])
                .await
                .expect(status);
            assert_eq!(
                answer.header("access-control-allow-origin"),
                Some(origin),
                "{path}"
            );
            let exposed = answer.header("access-control-expose-headers").unwrap();
            assert!(
                exposed.contains("feedmill-position") && exposed.contains("etag"),
                "{exposed}"
            );
            assert!(answer.header("vary").unwrap().contains("origin"));
        }
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_not() {
    let server = server(&[APP]).await;
    for origin in [
        "https://evil.example",
        "https://app.example.evil.example",
        "null",
    ] {
        for (method, headers) in [
            (Method::OPTIONS, &preflight(origin)[..]),
            (Method::GET, &[("Origin", origin)][..]),
        ] {
            let answer = send(&server, method, "/list", headers).await;
            assert_eq!(
                answer.header("access-control-allow-origin"),
                None,
                "{origin}"
            );
        }
    }
}

#[tokio::test]
async fn no_origin_is_allowed_by_default_and_any_by_a_star() {
    let closed = server(&[]).await;
    let answer = send(&closed, Method::OPTIONS, "/list", &preflight(APP))
        .await
        .expect(405);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let open = server(&["*"]).await;
    let answer = send(&open, Method::GET, "/list", &[("Origin", APP)])
        .await
        .expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_page_may_read_every_header_that_the_description_names() {
    let server = server(&[APP]).await;
    let answer = send(&server, Method::GET, "/list", &[("Origin", APP)]).await;
    let exposed = answer.header("access-control-expose-headers").unwrap();
    let exposed: Vec<_> = exposed.split(',').map(str::trim).collect();
    // Every page may read these.
    let safe = [
        "cache-control",
        "content-language",
        "content-length",
        "content-type",
    ];
    let named = openapi::document()["components"]["headers"]
        .as_object()
        .unwrap();
    for name in named.keys().map(|name| name.to_lowercase()) {
        let is_readable = safe.contains(&name.as_str()) || exposed.contains(&name.as_str());
        assert!(
            is_readable || name == "vary" || name == "content-encoding",
            "{name}"
        );
    }
}
