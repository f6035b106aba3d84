//! A command that is sent twice with one key is done once, whatever happens in between.

use feedmill_tests::{
    client::{Answer, Client},
    harness::{Plan, World},
    log,
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::{Command, Scene, assert_problem};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_brings_the_first_answer_back() {
    let mut world = World::start(Plan {
        write: 2,
        projectors: 0,
        read: 0,
        ..Plan::default()
    })
    .await;
    let scene = Scene::set(&world).await;
    let alice = scene.client.with_token(&world.signer.token(scene.alice));
    let bob = scene.client.with_token(&world.signer.token(scene.bob));

    let account = json!({"handle": "dora", "display_name": "Dora", "password": "correct horse"});
    let mut commands = scene.commands();
    commands.push(Command {
        method: Method::POST,
        path: "/v1/accounts".to_owned(),
        body: Some(account),
    });
    let mut first = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let answer = send(&alice, command, &format!("key-{index}")).await;
        assert!(answer.status.is_success(), "{command:?}: {answer:?}");
        assert_eq!(answer.header("idempotency-replayed"), None);
        first.push(answer);
    }
    let heads = log::heads(&world.pool).await.expect("the heads");

    // Killed and not stopped: what was answered is in the database.
    for process in &mut world.write {
        process.restart().await;
    }
    for url in &world.stack().write {
        let alice = alice.with_write(url);
        for (index, command) in commands.iter().enumerate() {
            let answer = send(&alice, command, &format!("key-{index}")).await;
            let was = &first[index];
            assert_eq!(
                answer.header("idempotency-replayed"),
                Some("true"),
                "{command:?}: {answer:?}"
            );
            assert_eq!(
                (answer.status, &answer.body),
                (was.status, &was.body),
                "{command:?}"
            );
            for header in ["feedmill-position", "location"] {
                assert_eq!(answer.header(header), was.header(header), "{command:?}");
            }
        }
    }
    for (index, command) in commands.iter().enumerate() {
        let key = format!("key-{index}");
        let other = match &command.body {
            Some(body) => Command {
                body: Some(changed(body)),
                ..command.clone()
            },
            None => Command {
                path: format!("/v1/posts/{}/like", scene.reply),
                method: Method::PUT,
                body: None,
            },
        };
        let answer = send(&alice, &other, &key).await;
        assert_problem(&answer, 422, &format!("{key} with {other:?}"));
        assert_eq!(
            answer.json()["code"],
            "idempotency_key_reused",
            "{answer:?}"
        );
    }
    assert_eq!(
        log::heads(&world.pool).await.expect("the heads"),
        heads,
        "something was done twice"
    );

    // A key is its account's own.
    let post = Command {
        method: Method::POST,
        path: "/v1/posts".to_owned(),
        body: Some(json!({"text": "hello"})),
    };
    let answer = send(&bob, &post, "key-1").await.expect(201);
    assert_ne!(answer.id(), first[1].id());

    // A refusal is no answer to keep: the key is still free for when it can be done.
    let late = Command {
        method: Method::PATCH,
        path: "/v1/me".to_owned(),
        body: Some(json!({"handle": "bob"})),
    };
    assert_problem(
        &send(&alice, &late, "late").await,
        409,
        "a handle that is taken",
    );
    bob.change_profile(json!({"handle": "robert"}))
        .await
        .expect(200);
    send(&alice, &late, "late").await.expect(200);

    at_once(&world, &scene).await;
}

/// Many at once, to both write-apis: one post, and one answer for all.
async fn at_once(world: &World, scene: &Scene) {
    let alice = scene.client.with_token(&world.signer.token(scene.alice));
    let post = Command {
        method: Method::POST,
        path: "/v1/posts".to_owned(),
        body: Some(json!({"text": "once"})),
    };
    for round in 0..5 {
        let key = format!("round-{round}");
        let clients: Vec<_> = (0..24)
            .map(|index| alice.with_write(&write_url(world, index)))
            .collect();
        let answers = join_all(clients.iter().map(|client| send(client, &post, &key))).await;
        let replayed = answers
            .iter()
            .filter(|answer| answer.header("idempotency-replayed").is_some());
        assert_eq!(replayed.count(), answers.len() - 1, "{answers:?}");
        for answer in &answers {
            assert_eq!(answer.status, 201, "{answer:?}");
            assert_eq!(answer.id(), answers[0].id());
        }
    }
}

fn write_url(world: &World, index: usize) -> String {
    let urls: &[String] = &world.stack().write;
    urls[index % urls.len()].clone()
}

async fn send(client: &Client, command: &Command, key: &str) -> Answer {
    let mut request = client
        .request(command.method.clone(), &command.path)
        .header("Idempotency-Key", key);
    if let Some(body) = &command.body {
        request = request.json(body);
    }
    client.send(request).await
}

/// The same body, with one text in it changed.
fn changed(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
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
