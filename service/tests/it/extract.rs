use axum::{
    Extension, Router,
    routing::{get, post},
};
use feedmill_service::{
    HttpArgs,
    extract::{Body, Json, Path, Query, RouteBodyLimit},
};
use feedmill_tests::client::Answer;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Server, send_raw, short_limits, start};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Purchase {
    text: String,
    count: Option<u32>,
    #[serde(default)]
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[expect(dead_code, reason = "shown by Debug")]
    id: Uuid,
}

#[derive(Deserialize)]
struct Page {
    limit: Option<u8>,
    period: Option<Period>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Period {
    Day,
}

async fn server() -> Server {
    let order = |Json(order): Json<Purchase>| async move {
        format!("{} {:?} {:?}", order.text, order.count, order.lines)
    };
    let page =
        |Query(page): Query<Page>| async move { format!("{:?} {:?}", page.limit, page.period) };
    let thing = |Path(id): Path<Uuid>| async move { id.to_string() };
    let app = Router::new()
        .route("/orders", post(order))
        .route("/pages", get(page))
        .route("/things/{id}", get(thing));
    start(app, HttpArgs::default()).await
}

async fn send(server: &Server, body: impl Into<reqwest::Body>) -> Answer {
    send_as(server, Some("application/json"), body).await
}

async fn send_as(server: &Server, kind: Option<&str>, body: impl Into<reqwest::Body>) -> Answer {
    let mut request = server.client.request(Method::POST, "/orders").body(body);
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    server.client.send(request).await
}

/// Panics unless the answer is 422 with this error and no other.
#[track_caller]
fn assert_error(answer: Answer, field: &str, message: &str, context: &str) {
    let problem = answer.expect_problem(422, "invalid_request").json();
    let expected = json!([{"field": field, "message": message}]);
    assert_eq!(problem["errors"], expected, "for {context}");
}

#[tokio::test]
async fn an_invalid_body_names_the_field() {
    let server = server().await;
    let id = Uuid::nil();
    let two = format!(r#"{{"text":"a","lines":[{{"id":"{id}"}},{{"id":"{id}","text":1}}]}}"#);
    let cases = [
        ("{}", "text", "is missing"),
        (
            r#"{"text":1}"#,
            "text",
            "invalid type: integer `1`, expected a string",
        ),
        (
            r#"{"text":null}"#,
            "text",
            "invalid type: null, expected a string",
        ),
        (
            r#"{"text":"a","count":-1}"#,
            "count",
            "invalid value: integer `-1`, expected u32",
        ),
        (
            r#"{"text":"a","text":"b"}"#,
            "text",
            "is given more than once",
        ),
        (
            r#"{"text":"a","colour":1}"#,
            "colour",
            "is not known, expected one of `text`, `count`, `lines`",
        ),
        (r#"{"text":"a","lines":[{}]}"#, "lines[0].id", "is missing"),
        (two.as_str(), "lines[1].text", "is not known, expected `id`"),
        (
            r#"{"text":"a","lines":{}}"#,
            "lines",
            "invalid type: map, expected a sequence",
        ),
        (r#"["a"]"#, "", "must be a JSON object"),
        (r#""text""#, "", "must be a JSON object"),
        ("null", "", "must be a JSON object"),
    ];
    for (body, field, message) in cases {
        let answer = send(&server, body.to_owned()).await;
        assert_error(answer, field, message, body);
    }
    let answer = send(&server, r#"{"text":"a","lines":[{"id":"x"}]}"#).await;
    assert_eq!(answer.expect(422).fields(), ["lines[0].id"]);
}

#[tokio::test]
async fn a_problem_repeats_long_names_and_values_only_in_part() {
    let server = server().await;
    for body in [
        json!({ "text": "a", "é".repeat(400): 1 }),
        json!({ "text": "a", "count": "\u{200b}".repeat(300) }),
    ] {
        let answer = send(&server, body.to_string()).await;
        let problem = answer.expect_problem(422, "invalid_request").json();
        let [error] = problem["errors"].as_array().unwrap().as_slice() else {
            panic!("{problem}")
        };
        for part in ["field", "message"] {
            let text = error[part].as_str().unwrap();
            assert!(text.chars().count() <= 301, "{problem}");
        }
    }
}

#[tokio::test]
async fn malformed_json_is_400() {
    let server = server().await;
    let bodies: [&[u8]; 12] = [
        b"",
        b" \n",
        b"{",
        b"{\"text\":\"a\"",
        b"{\"text\":\"a\"} x",
        b"{\"text\":\"a\"}{}",
        b"{'text':1}",
        b"[1,",
        b"text=a",
        b"{\"text\":\"\xff\"}",
        b"{\"text\":\"\\ud800\"}",
        b"\xef\xbb\xbf{\"text\":\"a\"}",
    ];
    for body in bodies {
        let answer = send(&server, body.to_vec()).await;
        let problem = answer.expect_problem(400, "malformed_json").json();
        assert!(problem.get("errors").is_none(), "{problem}");
    }
    let deep = send(&server, format!("{{\"text\":{}", "[".repeat(900))).await;
    assert!([400, 422].contains(&deep.status.as_u16()), "{deep:?}");
}

#[tokio::test]
async fn only_json_content_types_are_accepted() {
    let server = server().await;
    let body = " {\"text\":\"\u{e9}\"}\r\n";
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
        Some("json"),
    ] {
        let answer = send_as(&server, kind, body).await;
        answer.expect_problem(415, "unsupported_media_type");
    }
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/merge-patch+json",
    ] {
        let answer = send_as(&server, Some(kind), body).await;
        assert_eq!(answer.expect(200).body, "\u{e9} None []", "{kind}");
    }
}

#[tokio::test]
async fn a_body_with_a_content_coding_is_415() {
    let server = server().await;
    let send = async |codings: &[&str]| {
        let request = server.client.request(Method::POST, "/orders");
        let request = request.header("content-type", "application/json");
        let add = |request: reqwest::RequestBuilder, coding: &&str| {
            request.header("content-encoding", *coding)
        };
        let request = codings.iter().fold(request, add);
        server.client.send(request.body("{\"text\":\"a\"}")).await
    };
    for codings in [
        &["gzip"][..],
        &["br"],
        &["x-made-up"],
        &["identity, gzip"],
        &["identity", "deflate"],
    ] {
        let answer = send(codings).await;
        let answer = answer.expect_problem(415, "unsupported_encoding");
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
    }
    for codings in [&["identity"][..], &["Identity, identity"], &[""]] {
        send(codings).await.expect(200);
    }
    // Another 415 does not say that.
    let form = send_as(&server, None, "text=a").await.expect(415);
    assert_eq!(form.header("accept-encoding"), None);
}

#[tokio::test]
async fn a_route_may_have_a_lower_limit() {
    let echo = || post(|Body(bytes): Body| async move { bytes });
    let app = Router::new()
        .route("/small", echo())
        .route("/large", echo().layer(Extension(RouteBodyLimit(500))))
        // Over the limit of the server.
        .route("/huge", echo().layer(Extension(RouteBodyLimit(5_000))))
        .layer(Extension(RouteBodyLimit(100)));
    let server = start(app, short_limits()).await;
    for (path, limit) in [("/small", 100), ("/large", 500), ("/huge", 1_000)] {
        let send = async |size| {
            let request = server.client.request(Method::POST, path);
            server.client.send(request.body(vec![b'x'; size])).await
        };
        assert_eq!(send(limit).await.expect(200).body.len(), limit);
        let size = limit + 1;
        send(size).await.expect_problem(413, "body_too_large");
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        let chunk = "x".repeat(size);
        let chunked =
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{chunk}\r\n0\r\n\r\n");
        // Half-sent: refused by its declared length.
        let half_sent = format!("{head}Content-Length: {size}\r\nExpect: 100-continue\r\n\r\n");
        for bytes in [chunked, half_sent] {
            let answer = send_raw(&mut server.connect().await, bytes.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        }
    }
}

#[tokio::test]
async fn an_invalid_query_names_the_parameter() {
    let server = server().await;
    let cases = [
        ("limit=x", "limit", "invalid digit found in string"),
        ("limit=", "limit", "cannot parse integer from empty string"),
        (
            "limit=1000",
            "limit",
            "number too large to fit in target type",
        ),
        ("limit=1&limit=2", "limit", "is given more than once"),
        (
            "page=1&limit=1&page=2&limit=1",
            "limit",
            "is given more than once",
        ),
        (
            "period=year",
            "period",
            "unknown variant `year`, expected `day`",
        ),
    ];
    for (query, field, message) in cases {
        let answer = server.get(&format!("/pages?{query}")).await;
        assert_error(answer, field, message, query);
    }
    for (path, expected) in [
        ("/pages?limit=7&period=day", "Some(7) Some(Day)"),
        ("/pages", "None None"),
        // Unknown parameters are ignored.
        ("/pages?limit=7&page=1&page=2&%FF&=", "Some(7) None"),
    ] {
        assert_eq!(server.get(path).await.expect(200).body, expected);
    }
}

#[tokio::test]
async fn an_invalid_path_parameter_is_404() {
    let server = server().await;
    for id in ["x", "1", "%ff", "%00", "0191-"] {
        let answer = server.get(&format!("/things/{id}")).await;
        answer.expect_problem(404, "not_found");
    }
    let path = format!("/things/{}", Uuid::nil());
    server.get(&path).await.expect(200);
}
