//! Every field of every command, with every value that it must not have.

use feedmill_tests::{
    client::{Client, assert_field, assert_problem},
    endpoints::ENDPOINTS,
    link::LinkKind,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::Scene;

pub async fn are_checked(scene: &Scene, alice: &Client) {
    for endpoint in ENDPOINTS {
        let Some(body) = endpoint.body else { continue };
        let request = scene.request(endpoint);
        let legal = request.body.clone().expect("a body");
        let check = async |body: Value, field: &str| {
            let answer = alice
                .command(request.method(), &request.path, Some(body.clone()))
                .await;
            let shown: String = body.to_string().chars().take(120).collect();
            let context = format!("{} {} {shown}", endpoint.method, request.path);
            assert_field(&answer, field, &context);
            assert_eq!(answer.json()["code"], "invalid_request", "{context}");
        };
        for (field, bad_values) in body.fields {
            for value in bad_values() {
                let mut body = legal.clone();
                body[field] = value;
                check(body, field).await;
            }
            let mut without = legal.clone();
            let fields = without.as_object_mut().expect("an object");
            if fields.remove(*field).is_some() && endpoint.method != "PATCH" {
                check(without, field).await;
            }
        }
        let mut with_unknown = legal.clone();
        with_unknown["is_admin"] = json!(true);
        check(with_unknown, "is_admin").await;
    }
    for (members, field) in [
        (json!([scene.alice]), "members"),
        (json!([scene.bob, 7]), "members[1]"),
        (json!([scene.bob, "no-id"]), "members[1]"),
    ] {
        let body = json!({"members": members});
        let answer = alice
            .command(Method::POST, "/v1/conversations", Some(body))
            .await;
        assert_field(&answer, field, &format!("members: {members}"));
    }
    audiences_are_checked(scene, alice).await;
    errors_are_bounded(alice).await;
    let answer = alice.link(LinkKind::Follow, scene.alice, true).await;
    assert_problem(&answer, 422, "to follow oneself");
    let answer = alice.block(scene.alice, true).await;
    answer.expect_problem(422, "self_block");
    let answer = alice.create_account("ALICE", "Another").await;
    assert_problem(&answer, 409, "a handle that is taken, in capitals");
    let answer = alice.change_profile(json!({"handle": "Bob"})).await;
    assert_problem(&answer, 409, "a handle that is taken");
}

/// Audiences with tags, and replies, which have the audience of their thread.
async fn audiences_are_checked(scene: &Scene, alice: &Client) {
    let audience = format!("/v1/posts/{}/audience", scene.post);
    let too_many: Vec<_> = (0..101).map(uuid::Uuid::from_u128).collect();
    for (body, field) in [
        (json!({"audience": "tags"}), "tags"),
        (json!({"audience": "tags", "tags": []}), "tags"),
        (json!({"audience": "tags", "tags": too_many}), "tags"),
        (
            json!({"audience": "tags", "tags": [scene.tag, "family"]}),
            "tags[1]",
        ),
        (json!({"audience": "me", "tags": [scene.tag]}), "tags"),
    ] {
        let mut post = body.clone();
        post["text"] = json!("hello");
        let posted = alice.command(Method::POST, "/v1/posts", Some(post)).await;
        assert_field(&posted, field, &format!("a post with {body}"));
        let changed = alice.command(Method::PUT, &audience, Some(body.clone()));
        assert_field(&changed.await, field, &format!("a change to {body}"));
    }
    for (name, value) in [("audience", json!("public")), ("tags", json!([scene.tag]))] {
        let mut reply = json!({"text": "hello", "reply_to": scene.reply});
        reply[name] = value;
        let answer = alice.command(Method::POST, "/v1/posts", Some(reply)).await;
        assert_field(&answer, name, &format!("a reply with {name}"));
    }
    let unknown = json!({"audience": "tags", "tags": [scene.tag, scene.post]});
    let answer = alice.command(Method::PUT, &audience, Some(unknown)).await;
    assert_problem(&answer, 404, "a tag that does not exist");
    assert_eq!(answer.fields(), ["tags"], "{answer:?}");
}

/// However much of a body is invalid, the answer is small.
async fn errors_are_bounded(alice: &Client) {
    let errors = async |members: Vec<String>| {
        let body = json!({"members": members});
        let answer = alice
            .command(Method::POST, "/v1/conversations", Some(body))
            .await;
        assert_problem(&answer, 422, "members");
        answer.json()["errors"].as_array().cloned().expect("errors")
    };
    let invalid = errors(vec!["x".to_owned(); 100]).await;
    assert_eq!(invalid.len(), 20);
    assert_eq!(invalid[19]["field"], "members[19]");
    // Refused by its length, not item by item.
    let too_many = errors(vec!["x".to_owned(); 1_000]).await;
    assert_eq!(too_many.len(), 1);
    assert_eq!(too_many[0]["field"], "members");
}
