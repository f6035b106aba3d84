//! Bodies that are no body, and headers that do not fit.

use feedmill_tests::client::Client;
use reqwest::Method;
use serde_json::json;

use super::assert_field;
use crate::scene::{Scene, assert_problem};

/// Bodies that are not what they say, at every command that takes one.
pub async fn bodies_do_not_fit(scene: &Scene, alice: &Client) {
    let huge = format!("{{\"text\": \"{}\"}}", "x".repeat(1 << 20));
    let deep = "[".repeat(100_000);
    let raw: Vec<(&str, Vec<u8>, &str, u16)> = vec![
        ("empty", Vec::new(), "application/json", 400),
        (
            "broken off",
            b"{\"text\": \"a".to_vec(),
            "application/json",
            400,
        ),
        (
            "two of them",
            b"{\"text\": \"a\"}{}".to_vec(),
            "application/json",
            400,
        ),
        (
            "not UTF-8",
            b"{\"text\": \"\xff\xfe\"}".to_vec(),
            "application/json",
            400,
        ),
        (
            "half a surrogate",
            b"{\"text\": \"\\ud800\"}".to_vec(),
            "application/json",
            400,
        ),
        ("nested deeply", deep.into_bytes(), "application/json", 400),
        ("an array", b"[]".to_vec(), "application/json", 422),
        ("a number", b"1e999".to_vec(), "application/json", 400),
        ("null", b"null".to_vec(), "application/json", 422),
        ("over 1 MiB", huge.into_bytes(), "application/json", 413),
        (
            "a form",
            b"text=a".to_vec(),
            "application/x-www-form-urlencoded",
            415,
        ),
        (
            "plain text",
            b"{\"text\": \"a\"}".to_vec(),
            "text/plain",
            415,
        ),
        ("no content type", b"{\"text\": \"a\"}".to_vec(), "", 415),
    ];
    let mut commands = scene.commands();
    commands.retain(|command| command.body.is_some());
    let open = ["/v1/accounts", "/v1/sessions", "/v1/sessions/refresh"];
    let open = open.map(|path| (Method::POST, path.to_owned()));
    for (method, path) in commands
        .into_iter()
        .map(|command| (command.method, command.path))
        .chain(open)
    {
        for (what, body, content_type, status) in &raw {
            let mut request = alice.request(method.clone(), &path).body(body.clone());
            if !content_type.is_empty() {
                request = request.header("content-type", *content_type);
            }
            let answer = alice.send(request).await;
            // Which of the two a number too large is depends on the parser.
            let number = *what == "a number" && answer.status == 422;
            assert_problem(
                &answer,
                if number { 422 } else { *status },
                &format!("{method} {path}: {what}"),
            );
        }
    }
}

pub async fn headers_do_not_fit(alice: &Client) {
    let post = |name: &'static str, value: &str| {
        let request = alice
            .request(Method::POST, "/v1/posts")
            .json(&json!({"text": ""}));
        request.header(name, value)
    };
    for key in ["", " ", "a b", "é", &"k".repeat(256)] {
        let answer = alice.send(post("Idempotency-Key", key)).await;
        assert_field(
            &answer,
            "Idempotency-Key",
            &format!("Idempotency-Key: {key:?}"),
        );
    }
    let http = feedmill_tests::client::http();
    let ask = |name: &'static str, value: &'static str| {
        let token = alice.request(Method::GET, "/").build().expect("a request");
        let token = token.headers()["authorization"].clone();
        http.get(format!("{}/v1/feed", alice.read))
            .header("authorization", token)
            .header(name, value)
    };
    for position in ["x", "64:1", "1:-1", "1", "0:1,"] {
        let answer = alice.send(ask("Feedmill-Min-Position", position)).await;
        assert_field(
            &answer,
            "Feedmill-Min-Position",
            &format!("Feedmill-Min-Position: {position}"),
        );
    }
    // A preference that cannot be understood is no preference (RFC 7240).
    for preference in [
        "wait=soon",
        "wait=-1",
        "respond-async, wait=99999999999999999999",
        "=",
        ",",
    ] {
        alice.send(ask("Prefer", preference)).await.expect(200);
    }
    let behind = ask("Feedmill-Min-Position", "0:999999").header("Prefer", "wait=0");
    let answer = alice.send(behind).await;
    assert_problem(&answer, 503, "a position that is not there");
    assert_eq!(answer.json()["code"], "projection_behind");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}
