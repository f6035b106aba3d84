//! Bodies that are not what they claim to be.

use feedmill_tests::{
    client::{Client, assert_field, assert_problem},
    endpoints::{ENDPOINTS, Kind},
};
use serde_json::json;

use crate::scene::Scene;

pub async fn are_checked(scene: &Scene, alice: &Client) {
    are_json(scene, alice).await;
    have_no_content_coding(scene, alice).await;
    are_limited(scene, alice).await;
}

/// To what the route needs.
async fn are_limited(scene: &Scene, alice: &Client) {
    for endpoint in ENDPOINTS.iter().filter(|e| e.kind == Kind::Command) {
        let command = scene.request(endpoint);
        let send = async |length: usize| {
            let (before, after) = ("{\"is_admin\": \"", "\"}");
            let filler = "x".repeat(length - before.len() - after.len());
            let request = alice
                .request(command.method(), &command.path)
                .header("content-type", "application/json")
                .body(format!("{before}{filler}{after}"));
            alice.send(request).await
        };
        let context = format!("{} {}", endpoint.method, command.path);
        let answer = send(endpoint.body_limit + 1).await;
        assert_problem(&answer, 413, &context);
        assert_eq!(answer.json()["code"], "body_too_large", "{context}");
        // The other commands would be carried out.
        if endpoint.body.is_some() {
            assert_field(&send(endpoint.body_limit).await, "is_admin", &context);
        }
    }
}

/// At every command, also at those whose body is ignored.
async fn have_no_content_coding(scene: &Scene, alice: &Client) {
    for endpoint in ENDPOINTS.iter().filter(|e| e.kind == Kind::Command) {
        let command = scene.request(endpoint);
        let body = command.body.clone().unwrap_or_else(|| json!({}));
        for coding in ["gzip", "br", "deflate", "identity, gzip"] {
            let request = alice
                .request(command.method(), &command.path)
                .header("content-encoding", coding)
                .json(&body);
            let answer = alice.send(request).await;
            let context = format!("{} {}: {coding}", endpoint.method, command.path);
            assert_problem(&answer, 415, &context);
            assert_eq!(answer.json()["code"], "unsupported_encoding", "{context}");
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
        }
    }
}

/// At every command with a body.
async fn are_json(scene: &Scene, alice: &Client) {
    let huge = format!("{{\"text\": \"{}\"}}", "x".repeat(1 << 20));
    let deep = "[".repeat(5_000);
    let json = "application/json";
    let text = br#"{"text": "a"}"#.as_slice();
    // If two things are wrong with a body, either status is right.
    let raw: [(&str, &[u8], &str, &[u16]); 13] = [
        ("empty", b"", json, &[400]),
        ("incomplete", b"{", json, &[400]),
        ("two values", br#"{"text": "a"}{}"#, json, &[400, 422]),
        ("not UTF-8", b"{\"text\": \"\xff\xfe\"}", json, &[400]),
        (
            "a lone surrogate",
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
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.body.is_some()) {
        let command = scene.request(endpoint);
        for (what, body, content_type, statuses) in raw {
            let mut request = alice
                .request(command.method(), &command.path)
                .body(body.to_vec());
            if !content_type.is_empty() {
                request = request.header("content-type", content_type);
            }
            let answer = alice.send(request).await;
            let status = answer.status.as_u16();
            let context = format!("{} {}: {what}", endpoint.method, command.path);
            assert!(statuses.contains(&status), "{context}: {answer:?}");
            assert_problem(&answer, status, &context);
        }
    }
}
