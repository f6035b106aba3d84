use axum::{
    Router,
    routing::{get, post},
};
use feedmill_service::extract::{Json, Path, Query};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Server, client, problem, short_limits, start};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Purchase {
    text: String,
    count: Option<u32>,
    #[serde(default)]
    lines: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Uuid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    limit: Option<u8>,
    period: Option<Period>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Period {
    Day,
}

async fn server() -> Server {
    let order = |Json(order): Json<Purchase>| async move {
        format!(
            "{} {:?} {:?}",
            order.text,
            order.count,
            order.lines.iter().map(|l| l.id).collect::<Vec<_>>()
        )
    };
    let page = |Query(page): Query<Page>| async move {
        format!(
            "{:?} {}",
            page.limit,
            matches!(page.period, Some(Period::Day))
        )
    };
    let app = Router::new()
        .route("/orders", post(order))
        .route("/pages", get(page))
        .route(
            "/things/{id}",
            get(|Path(id): Path<Uuid>| async move { id.to_string() }),
        );
    start(app, short_limits()).await
}

async fn send(server: &Server, body: impl Into<reqwest::Body>) -> reqwest::Response {
    let request = client()
        .post(server.url("/orders"))
        .header("content-type", "application/json");
    request.body(body).send().await.unwrap()
}

fn error(document: &Value) -> (&str, &str) {
    let [error] = document["errors"].as_array().unwrap().as_slice() else {
        panic!("{document}")
    };
    (
        error["field"].as_str().unwrap(),
        error["message"].as_str().unwrap(),
    )
}

#[tokio::test]
async fn an_invalid_body_names_the_field() {
    let server = server().await;
    let id = Uuid::nil();
    let cases = [
        ("{}".to_owned(), "text", "is missing"),
        (
            r#"{"text":1}"#.to_owned(),
            "text",
            "invalid type: integer `1`, expected a string",
        ),
        (
            r#"{"text":null}"#.to_owned(),
            "text",
            "invalid type: null, expected a string",
        ),
        (
            r#"{"text":"a","count":-1}"#.to_owned(),
            "count",
            "invalid value: integer `-1`, expected u32",
        ),
        (
            r#"{"text":"a","text":"b"}"#.to_owned(),
            "text",
            "is given more than once",
        ),
        (
            r#"{"text":"a","colour":1}"#.to_owned(),
            "colour",
            "is not known, expected one of `text`, `count`, `lines`",
        ),
        (
            r#"{"text":"a","lines":[{}]}"#.to_owned(),
            "lines[0].id",
            "is missing",
        ),
        (
            format!(r#"{{"text":"a","lines":[{{"id":"{id}"}},{{"id":"{id}","text":1}}]}}"#),
            "lines[1].text",
            "is not known, expected `id`",
        ),
        (
            r#"{"text":"a","lines":{}}"#.to_owned(),
            "lines",
            "invalid type: map, expected a sequence",
        ),
        (r#"["a"]"#.to_owned(), "", "must be a JSON object"),
        (r#""text""#.to_owned(), "", "must be a JSON object"),
        ("null".to_owned(), "", "must be a JSON object"),
    ];
    for (body, field, message) in cases {
        let document = problem(send(&server, body.clone()).await, 422, "invalid_request").await;
        assert_eq!(error(&document), (field, message), "for {body}");
    }
    let document = problem(
        send(&server, r#"{"text":"a","lines":[{"id":"x"}]}"#).await,
        422,
        "invalid_request",
    );
    assert_eq!(error(&document.await).0, "lines[0].id");
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
        let document = problem(send(&server, body.to_vec()).await, 400, "malformed_json").await;
        assert!(document.get("errors").is_none(), "{document}");
    }
    let deep = format!("{{\"text\":{}", "[".repeat(900));
    assert!(matches!(
        send(&server, deep).await.status().as_u16(),
        400 | 422
    ));
}

#[tokio::test]
async fn a_valid_body_is_accepted() {
    let server = server().await;
    assert_eq!(
        send(&server, " {\"text\":\"\u{e9}\"}\r\n")
            .await
            .text()
            .await
            .unwrap(),
        "\u{e9} None []"
    );
}

#[tokio::test]
async fn only_json_content_types_are_accepted() {
    let server = server().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "json",
    ] {
        let request = client()
            .post(server.url("/orders"))
            .header("content-type", kind)
            .body("{\"text\":\"a\"}");
        problem(request.send().await.unwrap(), 415, "unsupported_media_type").await;
    }
    let request = client()
        .post(server.url("/orders"))
        .body("{\"text\":\"a\"}");
    problem(request.send().await.unwrap(), 415, "unsupported_media_type").await;
    for kind in [
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/merge-patch+json",
    ] {
        let request = client()
            .post(server.url("/orders"))
            .header("content-type", kind)
            .body("{\"text\":\"a\"}");
        assert_eq!(request.send().await.unwrap().status(), 200, "{kind}");
    }
}

#[tokio::test]
async fn a_json_body_over_the_limit_is_413() {
    let server = server().await;
    let body = json!({ "text": "a".repeat(2000) }).to_string();
    problem(send(&server, body).await, 413, "body_too_large").await;
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
            "page=1",
            "page",
            "is not known, expected `limit` or `period`",
        ),
        (
            "period=year",
            "period",
            "unknown variant `year`, expected `day`",
        ),
    ];
    for (query, field, message) in cases {
        let document = problem(
            server.get(&format!("/pages?{query}")).await,
            422,
            "invalid_request",
        )
        .await;
        assert_eq!(error(&document), (field, message), "for {query}");
    }
    assert_eq!(
        server
            .get("/pages?limit=7&period=day")
            .await
            .text()
            .await
            .unwrap(),
        "Some(7) true"
    );
    assert_eq!(
        server.get("/pages").await.text().await.unwrap(),
        "None false"
    );
}

#[tokio::test]
async fn an_invalid_path_parameter_is_404() {
    let server = server().await;
    for id in ["x", "1", "%ff", "%00", "0191-"] {
        problem(server.get(&format!("/things/{id}")).await, 404, "not_found").await;
    }
    assert_eq!(
        server
            .get(&format!("/things/{}", Uuid::nil()))
            .await
            .status(),
        200
    );
}
