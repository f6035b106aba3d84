//! A command that is sent twice with one idempotency key is applied once, whatever happens in between.

use feedmill_tests::{
    client::{Answer, Client},
    endpoints::ENDPOINTS,
    kit::{Stack, StackConfig},
    log,
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::{Request, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_returns_the_first_answer() {
    let mut stack = Stack::start(StackConfig {
        write: 2,
        projectors: 0,
        read: 0,
        ..StackConfig::default()
    })
    .await;
    let scene = Scene::create(&stack).await;
    let alice = scene.alice(&stack);
    let bob = scene.client.with_token(&stack.signer.token(scene.bob));
    let request = |method: &str, path: &str| {
        let mut all = ENDPOINTS.iter();
        let found = all.find(|endpoint| (endpoint.method, endpoint.path) == (method, path));
        scene.request(found.expect("an endpoint"))
    };

    let mut commands = scene.commands();
    commands.push(request("POST", "/v1/accounts"));
    let mut first = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let answer = send(&alice, command, &format!("key-{index}")).await;
        assert!(answer.status.is_success(), "{command:?}: {answer:?}");
        assert_eq!(answer.header("idempotency-replayed"), None);
        first.push(answer);
    }
    let heads = log::heads(&stack.pool).await.expect("the heads");

    // Killed, not stopped: the answers are in the database.
    for process in &mut stack.write {
        process.restart().await;
    }
    for url in &stack.target.write {
        let alice = alice.with_write(url);
        for (index, command) in commands.iter().enumerate() {
            let answer = send(&alice, command, &format!("key-{index}")).await;
            let replayed = answer.header("idempotency-replayed");
            assert_eq!(replayed, Some("true"), "{command:?}: {answer:?}");
            assert_same(&alice, &answer, &first[index]);
        }
    }
    let another_path = Request {
        path: format!("/v1/posts/{}/like", scene.reply),
        ..request("PUT", "/v1/posts/{post}/like")
    };
    for (index, command) in commands.iter().enumerate() {
        let key = format!("key-{index}");
        if let Some(body) = &command.body {
            let other = Request {
                body: Some(changed(body)),
                ..command.clone()
            };
            // The key of a sign-up belongs to what was sent: another one is decided anew.
            let (status, code) = if command.endpoint.needs_token() {
                (422, "idempotency_key_reused")
            } else {
                (409, "handle_taken")
            };
            let answer = send(&alice, &other, &key).await;
            answer.expect_problem(status, code);
        }
        // The key of a sign-up is not alice's.
        if command.endpoint.needs_token() {
            let answer = send(&alice, &another_path, &key).await;
            answer.expect_problem(422, "idempotency_key_reused");
        }
    }
    assert_eq!(
        log::heads(&stack.pool).await.expect("the heads"),
        heads,
        "a command was applied twice"
    );

    // Each account has its own keys.
    let is_post = |command: &Request| command.path == "/v1/posts";
    let index = commands.iter().position(is_post).expect("a post");
    let answer = send(&bob, &commands[index], &format!("key-{index}")).await;
    assert_ne!(answer.expect(201).id(), first[index].id());

    // A refusal is not stored: the key can be used again.
    let late = Request {
        body: Some(json!({"handle": "bob"})),
        ..request("PATCH", "/v1/me")
    };
    for key in ["late", "other"] {
        let refused = send(&alice, &late, key).await;
        refused.expect_problem(409, "handle_taken");
    }
    let other = Request {
        body: Some(json!({"display_name": "Alice"})),
        ..late.clone()
    };
    send(&alice, &other, "other").await.expect(200);
    bob.change_profile(json!({"handle": "robert"}))
        .await
        .expect(200);
    // As if 30 days had passed, for which a handle stays with its owner.
    sqlx::query("DELETE FROM write.freed_handles")
        .execute(&stack.pool)
        .await
        .expect("a free handle");
    send(&alice, &late, "late").await.expect(200);

    // Also the answer of a command that changed nothing stays as it was: the two were connected then.
    let connection = format!("/v1/users/{}/connection", scene.dan);
    let connect = Request {
        path: connection.clone(),
        ..request("PUT", "/v1/users/{user}/connection")
    };
    let first = send(&alice, &connect, "connected").await.expect(200);
    assert_eq!(first.json()["state"], "connected");
    alice
        .command(Method::DELETE, &connection, None)
        .await
        .expect(204);
    let again = send(&alice, &connect, "connected").await;
    assert_same(&alice, &again.expect(200), &first);

    let post = Request {
        body: Some(json!({"text": "once"})),
        ..request("POST", "/v1/posts")
    };
    concurrent_requests_are_applied_once(&stack, &alice, &post).await;
}

/// Concurrent requests with one key, to both instances of write-api, create one post and get one answer.
async fn concurrent_requests_are_applied_once(stack: &Stack, alice: &Client, post: &Request) {
    for round in 0..5 {
        let key = format!("round-{round}");
        let clients: Vec<_> = (0..24)
            .map(|index| alice.with_write(&stack.target.write[index % 2]))
            .collect();
        let answers = join_all(clients.iter().map(|client| send(client, post, &key))).await;
        let replayed = answers
            .iter()
            .filter(|answer| answer.header("idempotency-replayed").is_some());
        assert_eq!(replayed.count(), answers.len() - 1, "{answers:?}");
        for answer in answers.clone() {
            assert_same(alice, &answer.expect(201), &answers[0]);
        }
    }
}

/// Panics unless both have the same status, body and location, and a position or none. That of a command that changed nothing is
/// not stored, so it may be a later one.
#[track_caller]
fn assert_same(client: &Client, answer: &Answer, first: &Answer) {
    assert_eq!((answer.status, &answer.body), (first.status, &first.body));
    assert_eq!(answer.header("location"), first.header("location"));
    // As text it is another one each time.
    let position = |answer: &Answer| client.position_in(answer);
    assert_eq!(position(answer).is_some(), position(first).is_some());
    if first.status == 201 {
        assert_eq!(position(answer), position(first), "{first:?}");
    }
}

async fn send(client: &Client, command: &Request, key: &str) -> Answer {
    let mut request = client
        .request(command.method(), &command.path)
        .header("Idempotency-Key", key);
    if let Some(body) = &command.body {
        request = request.json(body);
    }
    client.send(request).await
}

/// The same body with one string changed.
fn changed(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        if let Some(audience) = fields.get_mut("audience") {
            *audience = json!("me");
            return body;
        }
        match fields.values_mut().find(|value| value.is_string()) {
            Some(Value::String(text)) => {
                let last = if text.ends_with('a') { "b" } else { "a" };
                text.replace_range(text.len() - 1.., last);
            }
            _ => drop(fields.insert("title".to_owned(), json!("Another"))),
        }
    }
    body
}
