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
    let json = "application/json";
    let text = br#"{"text": "a"}"#.as_slice();
    // Of two things that are wrong with a body, either may be told.
    let raw: [(&str, &[u8], &str, &[u16]); 13] = [
        ("empty", b"", json, &[400]),
        ("broken off", b"{", json, &[400]),
        ("two of them", br#"{"text": "a"}{}"#, json, &[400, 422]),
        ("not UTF-8", b"{\"text\": \"\xff\xfe\"}", json, &[400]),
        (
            "half a surrogate",
            br#"{"text": "\ud800"}"#,
            json,
            &[400, 422],
        ),
        ("nested deeply", deep.as_bytes(), json, &[400, 422]),
        ("an array", b"[]", json, &[422]),
        ("a number", b"1e999", json, &[400, 422]),
        ("null", b"null", json, &[422]),
        ("over 1 MiB", huge.as_bytes(), json, &[413]),
        (
            "a form",
            b"text=a",
            "application/x-www-form-urlencoded",
            &[415],
        ),
        ("plain text", text, "text/plain", &[415]),
        ("no content type", text, "", &[415]),
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
        for (what, body, content_type, statuses) in raw {
            let mut request = alice.request(method.clone(), &path).body(body.to_vec());
            if !content_type.is_empty() {
                request = request.header("content-type", content_type);
            }
            let answer = alice.send(request).await;
            let status = answer.status.as_u16();
            let context = format!("{method} {path}: {what}");
            assert!(statuses.contains(&status), "{context}: {answer:?}");
            assert_problem(&answer, status, &context);
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
