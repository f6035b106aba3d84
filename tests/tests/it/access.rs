//! Who may see and do what: every endpoint with every kind of token, and with ids that do not exist.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_tests::{
    client::{Answer, Client, assert_problem, http},
    endpoints::{Access, ENDPOINTS, Service},
    kit::{Stack, StackConfig},
};
use reqwest::{Method, header::HeaderValue};
use serde_json::json;
use uuid::Uuid;

use crate::scene::{Request, Scene, state, with_query};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_changes_what_they_may_not() {
    let stack = Stack::start(StackConfig::default()).await;
    let scene = Scene::create(&stack).await;
    let alice = scene.alice(&stack);
    // After this, every read model has the scene.
    for read in scene.reads() {
        read.send(&alice).await.expect(200);
    }
    let before = state(&stack).await;

    invalid_tokens_are_refused(&stack, &scene).await;
    tokens_without_an_account_are_refused(&stack, &scene).await;
    other_accounts_are_refused(&stack, &scene).await;
    unknown_ids_are_404(&stack, &scene).await;
    other_methods_are_405(&stack, &scene).await;
    foreign_cursors_are_refused(&stack, &scene).await;

    assert_eq!(
        state(&stack).await,
        before,
        "a request that was refused changed the state"
    );
    for command in scene.commands() {
        let answer = command.send(&alice).await;
        assert!(answer.status.is_success(), "{command:?}: {answer:?}");
        let created = answer.status == 201;
        let location = answer.header("location");
        assert_eq!(location.is_some(), created, "{command:?}: {answer:?}");
        if let Some(location) = location {
            let read = alice.get(location).await.expect(200);
            assert_eq!(read.id(), answer.id(), "{command:?}");
        }
    }
}

async fn invalid_tokens_are_refused(stack: &Stack, scene: &Scene) {
    let mut clients = vec![("none", scene.client.clone())];
    let invalid = stack.signer.invalid_tokens(scene.alice);
    let with_token =
        |(what, token): &(&'static str, String)| (*what, scene.client.with_token(token));
    clients.extend(invalid.iter().map(with_token));
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.needs_token()) {
        let request = scene.request(endpoint);
        let base = match endpoint.service {
            Service::WriteApi => &scene.client.write,
            Service::ReadApi => &scene.client.read,
        };
        for (what, client) in &clients {
            let url = format!("{base}{}", request.path);
            let mut sent = client.signed(http().request(request.method(), url));
            if let Some(body) = &request.body {
                sent = sent.json(body);
            }
            let answer = client.send(sent).await;
            assert_problem(&answer, 401, &format!("token: {what}, {request:?}"));
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
}

/// A valid token of an account that does not exist.
async fn tokens_without_an_account_are_refused(stack: &Stack, scene: &Scene) {
    let nobody = scene.client.with_token(&stack.signer.token(Uuid::new_v4()));
    for command in scene.commands() {
        let answer = command.send(&nobody).await;
        assert_problem(&answer, 401, &format!("no account: {command:?}"));
        assert_eq!(answer.json()["code"], "unknown_account", "{command:?}");
    }
    let me = nobody.get("/v1/me").await;
    assert!([401, 404].contains(&me.status.as_u16()), "{me:?}");
}

async fn other_accounts_are_refused(stack: &Stack, scene: &Scene) {
    let carol = scene.client.with_token(&stack.signer.token(scene.carol));
    for endpoint in ENDPOINTS {
        let status = match endpoint.access {
            Access::Author => 403,
            Access::Member | Access::Owner => 404,
            Access::Anyone | Access::Account => continue,
        };
        let request = scene.request(endpoint);
        let answer = request.send(&carol).await;
        assert_problem(&answer, status, &format!("as Carol: {request:?}"));
        if status == 404 {
            assert_like_unknown(&answer, scene, &request, &carol).await;
        }
    }
    let inbox = carol.pages("/v1/conversations", 20).await;
    let inbox = inbox.expect("Carol's conversations").items;
    let foreign = json!(scene.conversation);
    assert!(
        inbox.iter().all(|found| found["id"] != foreign),
        "{inbox:?}"
    );
    // Of another conversation than hers.
    let own = inbox[0]["id"].as_str().and_then(|id| id.parse().ok());
    let answer = carol.mark_read(own.expect("an id"), scene.message).await;
    assert_problem(&answer, 404, "a mark at a message of another conversation");
}

/// Asserts that the answer to the request is that of ids that never were, so that it does not tell what exists. Only the time of
/// the answer may differ.
async fn assert_like_unknown(answer: &Answer, scene: &Scene, request: &Request, client: &Client) {
    let ids = scene.placeholders();
    let path = ids.iter().fold(request.path.clone(), |path, (_, id)| {
        path.replace(&id.to_string(), &unknown_like(*id).to_string())
    });
    let unknown = Request {
        path,
        ..request.clone()
    };
    let unknown = unknown.send(client).await;
    // A position is another text each time.
    let comparable = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("date");
        if let Some(position) = headers.get_mut("feedmill-position") {
            *position = HeaderValue::from_static("sealed");
        }
        (answer.status, headers, answer.body.clone())
    };
    let (found, expected) = (comparable(answer), comparable(&unknown));
    assert_eq!(found, expected, "it tells what exists: {request:?}");
}

/// A post that was deleted is as one that never was, for its author too, by every endpoint.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_post_is_like_one_that_never_was() {
    let stack = Stack::start(StackConfig::default()).await;
    let scene = Scene::create(&stack).await;
    let alice = scene.alice(&stack);
    let bob = scene.client.with_token(&stack.signer.token(scene.bob));
    alice.delete_post(scene.post).await.expect(204);
    for endpoint in ENDPOINTS {
        if !endpoint.path.contains("{post}") {
            continue;
        }
        let request = scene.request(endpoint);
        // Its replies stay, and can be listed.
        if endpoint.path.ends_with("/replies") {
            continue;
        }
        for client in [&alice, &bob] {
            let answer = request.send(client).await;
            let status = if endpoint.undo { 204 } else { 404 };
            assert_eq!(answer.status, status, "{request:?}: {answer:?}");
            assert_like_unknown(&answer, &scene, &request, client).await;
        }
    }
}

/// An id that nothing has, with the same partition and time as this one.
fn unknown_like(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ 0xff00)
}

async fn unknown_ids_are_404(stack: &Stack, scene: &Scene) {
    let alice = scene.alice(stack);
    let requests = [scene.commands(), scene.reads()].concat();
    for request in &requests {
        for (_, id) in scene.placeholders() {
            let unknown = [
                unknown_like(id).to_string(),
                Uuid::nil().to_string(),
                "no-id".to_owned(),
                "%00".to_owned(),
            ];
            let id = id.to_string();
            // Ids in a query have tests of their own.
            let (path, query) = request
                .path
                .split_at(request.path.find('?').unwrap_or(request.path.len()));
            for unknown in unknown.iter().filter(|_| path.contains(&id)) {
                let changed = Request {
                    path: path.replace(&id, unknown) + query,
                    ..request.clone()
                };
                let answer = changed.send(&alice).await;
                if request.endpoint.undo && Uuid::try_parse(unknown).is_ok() {
                    assert_eq!(answer.status, 204, "{changed:?}: {answer:?}");
                } else {
                    assert_problem(&answer, 404, &format!("{changed:?}"));
                }
            }
        }
    }
    alice.get("/v1/users/@bob").await.expect(200);
    for path in [
        "/v1/users/@nobody_has_this",
        "/v1/users/@",
        "/v1/users/bob",
        "/v1/nothing",
        "/",
    ] {
        assert_problem(&alice.get(path).await, 404, path);
    }
    // In the body.
    let unknown = unknown_like(scene.post);
    let answer = alice.post("hello", Some(unknown)).await;
    assert_problem(&answer, 404, "a reply to an unknown post");
    let answer = alice.create_conversation(&[unknown], None).await;
    assert_problem(&answer, 404, "a conversation with an unknown account");
    let answer = alice.mark_read(scene.conversation, unknown).await;
    assert_problem(&answer, 404, "a mark at an unknown message");
    let answer = alice
        .command(Method::POST, "/v1/posts/and/more", None)
        .await;
    assert_problem(&answer, 404, "an unknown path");
    let answer = alice
        .command(Method::PUT, "/v1/users/@bob/follow", None)
        .await;
    assert_problem(&answer, 404, "a handle in place of an id");
}

/// No path has a method that the table lacks.
async fn other_methods_are_405(stack: &Stack, scene: &Scene) {
    let alice = scene.alice(stack);
    // By the path without the names of its placeholders, which may differ.
    let mut paths: BTreeMap<(Service, String), (String, BTreeSet<&str>)> = BTreeMap::new();
    for endpoint in ENDPOINTS {
        let path = scene.request(endpoint).path;
        let parts = endpoint.path.split('/');
        let parts = parts.map(|part| if part.starts_with('{') { "{}" } else { part });
        let key = (endpoint.service, parts.collect::<Vec<_>>().join("/"));
        let (_, methods) = paths.entry(key).or_insert((path, BTreeSet::new()));
        methods.insert(endpoint.method);
    }
    for ((service, _), (path, methods)) in paths {
        let base = match service {
            Service::WriteApi => &alice.write,
            Service::ReadApi => &alice.read,
        };
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if methods.contains(method) {
                continue;
            }
            let url = format!("{base}{path}");
            let request = http().request(method.parse().expect("a method"), url);
            let answer = alice.send(alice.signed(request)).await;
            assert_problem(&answer, 405, &format!("{method} {path} at {service:?}"));
        }
    }
}

/// A cursor is valid for one list of one viewer.
async fn foreign_cursors_are_refused(stack: &Stack, scene: &Scene) {
    let alice = scene.alice(stack);
    let bob = scene.client.with_token(&stack.signer.token(scene.bob));
    let mut cursors = Vec::new();
    for path in scene.lists() {
        let page = alice.get(&with_query(&path, "limit=1")).await;
        let page = page.expect(200).json();
        let cursor = page["next_cursor"].as_str();
        let cursor = cursor.unwrap_or_else(|| panic!("{path} has one page"));
        cursors.push((path, cursor.to_owned()));
    }
    for (path, cursor) in &cursors {
        let next = with_query(path, &format!("limit=1&cursor={cursor}"));
        alice.get(&next).await.expect(200);
        let answer = bob.get(&next).await;
        assert_problem(
            &answer,
            422,
            &format!("Alice's cursor, used by Bob: {next}"),
        );
        for (other, _) in cursors.iter().filter(|(other, _)| other != path) {
            let path = with_query(other, &format!("cursor={cursor}"));
            let answer = alice.get(&path).await;
            assert_problem(&answer, 422, &format!("a cursor of another list: {path}"));
        }
        for changed in [
            cursor.replacen(&cursor[4..6], "AA", 1) + "A",
            cursor[..cursor.len() - 2].to_owned(),
        ] {
            let path = with_query(path, &format!("cursor={changed}"));
            assert_problem(&alice.get(&path).await, 422, &path);
        }
    }
}
