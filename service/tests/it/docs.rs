//! The description of the API: everything that a browser needs is there, and nothing else is requested.

use axum::Router;
use feedmill_service::{HttpArgs, http::docs};
use feedmill_tests::client::Answer;
use reqwest::{Method, header};

use crate::support::{Server, start};

async fn server() -> Server {
    start(docs::router(), HttpArgs::default()).await
}

/// The values of the attributes `name` in a page.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("{name}=\"");
    let values = page.split(&begin).skip(1);
    values.map(|rest| rest.split('"').next().unwrap()).collect()
}

fn policy(answer: &Answer) -> &str {
    answer.header("content-security-policy").unwrap()
}

#[tokio::test]
async fn a_browser_finds_everything_at_the_same_service() {
    let server = server().await;
    let page = server.get("/docs").await.expect(200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(policy(&page).starts_with("default-src 'none'; script-src 'self';"));
    for elsewhere in ["http:", "https:", "//"] {
        assert!(!page.body.contains(elsewhere), "{elsewhere}");
    }
    for (attribute, content_type) in [
        ("src", "text/javascript; charset=utf-8"),
        ("spec-url", "application/json"),
        ("href", "application/json"),
    ] {
        let [path] = attributes(&page.body, attribute)[..] else {
            panic!("one {attribute}");
        };
        let found = server.get(&format!("/{path}")).await.expect(200);
        assert_eq!(found.header("content-type"), Some(content_type));
        assert!(policy(&found).starts_with("default-src 'none'"));
    }
}

#[tokio::test]
async fn an_unchanged_document_is_not_sent_again() {
    let server = server().await;
    let document = server.get("/openapi.json").await.expect(200);
    assert_eq!(document.json()["openapi"], "3.1.0");
    assert_eq!(document.header("cache-control"), Some("no-cache"));
    let etag = document.header("etag").unwrap();
    let client = &server.client;
    let again = client.request(Method::GET, "/openapi.json");
    let again = client.send(again.header(header::IF_NONE_MATCH, etag)).await;
    let again = again.expect(304);
    assert!(again.body.is_empty());
    assert_eq!(again.header("etag"), Some(etag));
    assert!(again.header("content-type").is_none());
}

#[tokio::test]
async fn other_paths_are_as_anywhere() {
    let server = server().await;
    let nowhere = start(Router::new(), HttpArgs::default()).await;
    for path in ["/docs/", "/docs/x", "/openapi", "/docs/rapidoc-min.js"] {
        let (found, expected) = (server.get(path).await, nowhere.get(path).await);
        let [found, expected] = [found, expected].map(|answer| {
            let mut headers = answer.headers;
            headers.remove("date");
            (answer.status, headers, answer.body)
        });
        assert_eq!(found, expected, "{path}");
        assert_eq!(found.0, 404);
    }
    let post = server.client.request(Method::POST, "/docs");
    server.client.send(post).await.expect(405);
}
