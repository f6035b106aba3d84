//! Every field of every command, with every kind of value that it must not have.

use feedmill_tests::client::Client;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::assert_field;
use crate::scene::{Scene, assert_problem};

/// A legal body of each command that has one, and per field what does not fit it.
pub async fn do_not_fit(scene: &Scene, alice: &Client) {
    let long = "é".repeat(5_001);
    let text = vec![
        json!(null),
        json!(1),
        json!(["a"]),
        json!({}),
        json!(""),
        json!(" \t\n "),
        json!(long),
        json!("a\u{0}b"),
        json!("a\u{7}b"),
        json!("a\u{85}b"),
    ];
    let name = vec![
        json!(1),
        json!(""),
        json!("  "),
        json!("x".repeat(101)),
        json!("two\nlines"),
    ];
    let handle = vec![
        json!(7),
        json!(""),
        json!("a"),
        json!("a".repeat(31)),
        json!("no spaces"),
        json!("ümlaut"),
        json!("dash-ed"),
        json!("@alice"),
        json!("a\u{0}b"),
    ];
    let id = vec![
        json!(1),
        json!(""),
        json!("no-id"),
        json!({"id": scene.post}),
    ];
    let password = vec![
        json!(null),
        json!(12_345_678),
        json!("short"),
        json!("x".repeat(201)),
    ];
    let messages = format!("/v1/conversations/{}/messages", scene.talk);
    let read = format!("/v1/conversations/{}/read", scene.talk);
    let account = json!({"handle": "dora", "display_name": "Dora", "password": "correct horse"});
    let login = json!({"handle": "alice", "password": "correct horse"});
    let table: Vec<(Method, &str, Value, &str, Vec<Value>)> = vec![
        (
            Method::POST,
            "/v1/accounts",
            account.clone(),
            "handle",
            handle.clone(),
        ),
        (
            Method::POST,
            "/v1/accounts",
            account.clone(),
            "display_name",
            name.clone(),
        ),
        (Method::POST, "/v1/accounts", account, "password", password),
        (
            Method::POST,
            "/v1/sessions",
            login.clone(),
            "handle",
            vec![json!(1), json!("no handle")],
        ),
        (
            Method::POST,
            "/v1/sessions",
            login,
            "password",
            vec![json!(1), json!(null)],
        ),
        (
            Method::POST,
            "/v1/sessions/refresh",
            json!({"refresh_token": "x"}),
            "refresh_token",
            vec![json!(1)],
        ),
        (Method::PATCH, "/v1/me", json!({}), "handle", handle),
        (
            Method::PATCH,
            "/v1/me",
            json!({}),
            "display_name",
            name.clone(),
        ),
        (
            Method::PATCH,
            "/v1/me",
            json!({}),
            "bio",
            vec![json!(1), json!("x".repeat(501)), json!("\u{1}")],
        ),
        (
            Method::POST,
            "/v1/posts",
            json!({"text": "x"}),
            "text",
            text.clone(),
        ),
        (
            Method::POST,
            "/v1/posts",
            json!({"text": "x"}),
            "reply_to",
            id.clone(),
        ),
        (
            Method::POST,
            "/v1/conversations",
            json!({"members": [scene.bob]}),
            "title",
            name,
        ),
        (Method::POST, &messages, json!({"text": "x"}), "text", text),
        (
            Method::PUT,
            &read,
            json!({"up_to": scene.message}),
            "up_to",
            [id.clone(), vec![json!(null)]].concat(),
        ),
        (
            Method::PUT,
            "/v1/notifications/read",
            json!({"up_to": scene.post}),
            "up_to",
            [id, vec![json!(null), json!(Uuid::max())]].concat(),
        ),
    ];
    for (method, path, legal, field, values) in table {
        for value in values {
            let mut body = legal.clone();
            body[field] = value;
            let answer = alice
                .command(method.clone(), path, Some(body.clone()))
                .await;
            assert_field(&answer, field, &format!("{method} {path} {}", shown(&body)));
        }
        let mut without = legal.clone();
        if without
            .as_object_mut()
            .is_some_and(|body| body.remove(field).is_some())
        {
            let answer = alice.command(method.clone(), path, Some(without)).await;
            assert_field(&answer, field, &format!("{method} {path} without {field}"));
        }
        let mut more = legal.clone();
        more["is_admin"] = json!(true);
        let answer = alice.command(method.clone(), path, Some(more)).await;
        assert_field(
            &answer,
            "is_admin",
            &format!("{method} {path} with a field too many"),
        );
    }

    let talk = "/v1/conversations";
    let everybody: Vec<Uuid> = (0..101).map(|_| Uuid::new_v4()).collect();
    for (members, field) in [
        (json!("bob"), "members"),
        (json!([]), "members"),
        (json!([scene.alice]), "members"),
        (json!([scene.bob, 7]), "members[1]"),
        (json!([scene.bob, "no-id"]), "members[1]"),
        (json!(everybody), "members"),
    ] {
        let answer = alice
            .command(Method::POST, talk, Some(json!({"members": members})))
            .await;
        assert_field(&answer, field, &format!("members: {}", shown(&members)));
    }
    assert_problem(
        &alice.follow(scene.alice, true).await,
        422,
        "to follow oneself",
    );
    let taken = alice.create_account("ALICE", "Another").await;
    assert_problem(&taken, 409, "a handle that is taken, in capitals");
    assert_problem(
        &alice.change_profile(json!({"handle": "Bob"})).await,
        409,
        "a handle that is taken",
    );
}

fn shown(body: &Value) -> String {
    body.to_string().chars().take(120).collect()
}
