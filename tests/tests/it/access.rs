//! Who may see and do what: every endpoint with every kind of token, and with ids that name nothing.

use feedmill_tests::harness::{Plan, World};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::scene::{Command, Scene, assert_problem, everything};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_does_what_is_not_theirs() {
    let world = World::start(Plan::default()).await;
    let scene = Scene::set(&world).await;
    // Reads wait for the scene once; what comes after changes nothing.
    for path in scene.reads() {
        let client = scene.client.with_token(&world.signer.token(scene.alice));
        client.get(&path).await.expect(200);
    }
    let before = everything(&world).await;

    without_a_good_token(&world, &scene).await;
    without_an_account(&world, &scene).await;
    what_is_somebody_elses(&world, &scene).await;
    what_does_not_exist(&world, &scene).await;
    cursors_of_others(&world, &scene).await;

    assert_eq!(
        everything(&world).await,
        before,
        "something that was refused changed the state"
    );
    // The table of commands is worth something: Alice may do all of it.
    let alice = scene.client.with_token(&world.signer.token(scene.alice));
    for command in scene.commands() {
        let answer = command.send(&alice).await;
        assert!(answer.status.is_success(), "{command:?}: {answer:?}");
    }
}

async fn without_a_good_token(world: &World, scene: &Scene) {
    let mut clients = vec![("none", scene.client.clone())];
    let bad = world.signer.bad_tokens(scene.alice);
    clients.extend(
        bad.iter()
            .map(|(what, token)| (*what, scene.client.with_token(token))),
    );
    for (what, client) in &clients {
        for command in scene.commands() {
            let answer = command.send(client).await;
            assert_problem(&answer, 401, &format!("token: {what}, {command:?}"));
            assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
        }
        for path in scene.reads() {
            let answer = client.get(&path).await;
            assert_problem(&answer, 401, &format!("token: {what}, GET {path}"));
            assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
        }
    }
}

/// A good token for an account that is not there.
async fn without_an_account(world: &World, scene: &Scene) {
    let ghost = scene.client.with_token(&world.signer.token(Uuid::new_v4()));
    for command in scene.commands() {
        assert_problem(
            &command.send(&ghost).await,
            401,
            &format!("no account: {command:?}"),
        );
    }
    let me = ghost.get("/v1/me").await;
    assert!([401, 404].contains(&me.status.as_u16()), "{me:?}");
    let path = format!("/v1/conversations/{}/messages", scene.talk);
    assert_problem(&ghost.get(&path).await, 404, "no account: messages");
}

async fn what_is_somebody_elses(world: &World, scene: &Scene) {
    let carol = scene.client.with_token(&world.signer.token(scene.carol));
    let Scene {
        post,
        reply,
        talk,
        message,
        ..
    } = scene;
    assert_problem(&carol.delete_post(*post).await, 403, "somebody else's post");
    assert_problem(
        &carol.delete_post(*reply).await,
        403,
        "somebody else's reply",
    );
    assert_problem(
        &carol.send_message(*talk, "hello").await,
        404,
        "a message into others' conversation",
    );
    assert_problem(
        &carol.mark_read(*talk, *message).await,
        404,
        "a read mark in others' conversation",
    );
    let messages = carol
        .get(&format!("/v1/conversations/{talk}/messages"))
        .await;
    assert_problem(&messages, 404, "others' messages");
    // Whether it is there at all cannot be told from the answer.
    let none = carol
        .get(&format!("/v1/conversations/{}/messages", like(*talk)))
        .await;
    assert_eq!(messages.body, none.body);

    let inbox = carol
        .pages("/v1/conversations", 20)
        .await
        .expect("Carol's conversations")
        .items;
    assert!(
        inbox.iter().all(|found| found["id"] != json!(talk)),
        "{inbox:?}"
    );
    // A message of a conversation that she is not in is no mark in one that she is in.
    let own: Uuid = inbox[0]["id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .expect("an id");
    assert_problem(
        &carol.mark_read(own, *message).await,
        404,
        "a mark at a message of another conversation",
    );
}

/// An id that nothing has, of the same partition and time as this one.
fn like(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ 0xff00)
}

async fn what_does_not_exist(world: &World, scene: &Scene) {
    let alice = scene.client.with_token(&world.signer.token(scene.alice));
    let Scene {
        post,
        bob,
        talk,
        message,
        ..
    } = scene;
    let named = [post, bob, talk, message].map(ToString::to_string);
    let replacements = [
        like(*post).to_string(),
        Uuid::nil().to_string(),
        "no-id".to_owned(),
        "%00".to_owned(),
    ];
    for (command, id) in scene
        .commands()
        .iter()
        .flat_map(|c| named.iter().map(move |id| (c, id)))
    {
        for instead in &replacements {
            if !command.path.contains(id.as_str()) {
                continue;
            }
            let changed = Command {
                path: command.path.replace(id, instead),
                ..command.clone()
            };
            assert_problem(&changed.send(&alice).await, 404, &format!("{changed:?}"));
        }
    }
    for (path, id) in scene
        .reads()
        .iter()
        .flat_map(|path| named.iter().map(move |id| (path, id)))
    {
        for instead in &replacements {
            if path.contains(id.as_str()) {
                let path = path.replace(id, instead);
                assert_problem(&alice.get(&path).await, 404, &path);
            }
        }
    }
    for path in [
        "/v1/users/@nobody_has_this",
        "/v1/users/@",
        "/v1/users/bob",
        "/v1/nothing",
        "/",
    ] {
        assert_problem(&alice.get(path).await, 404, path);
    }
    // Named in the body.
    let nothing = like(*post);
    assert_problem(
        &alice.post("hello", Some(nothing)).await,
        404,
        "a reply to nothing",
    );
    assert_problem(
        &alice.create_conversation(&[nothing], None).await,
        404,
        "a conversation with nobody",
    );
    assert_problem(
        &alice.mark_read(*talk, nothing).await,
        404,
        "a mark at nothing",
    );
    let answer = alice
        .command(Method::POST, "/v1/posts/and/more", None)
        .await;
    assert_problem(&answer, 404, "a path that is none");
    let answer = alice.command(Method::PUT, "/v1/posts", None).await;
    assert_problem(&answer, 405, "a method that is none");
}

/// A cursor belongs to one list of one viewer.
async fn cursors_of_others(world: &World, scene: &Scene) {
    let [alice, bob] =
        [scene.alice, scene.bob].map(|who| scene.client.with_token(&world.signer.token(who)));
    let mut cursors = Vec::new();
    for path in scene.lists() {
        let body = alice
            .get(&format!("{path}?limit=1"))
            .await
            .expect(200)
            .json();
        let cursor = body["next_cursor"]
            .as_str()
            .unwrap_or_else(|| panic!("{path} has one page"))
            .to_owned();
        cursors.push((path, cursor));
    }
    for (path, cursor) in &cursors {
        let own = format!("{path}?limit=1&cursor={cursor}");
        alice.get(&own).await.expect(200);
        let answer = bob.get(&own).await;
        assert_problem(
            &answer,
            422,
            &format!("Alice's cursor in Bob's hands: {own}"),
        );
        for (elsewhere, _) in cursors.iter().filter(|(elsewhere, _)| elsewhere != path) {
            let path = format!("{elsewhere}?cursor={cursor}");
            assert_problem(
                &alice.get(&path).await,
                422,
                &format!("a cursor of another list: {path}"),
            );
        }
        // A bit of it changed, or a part of it left out.
        for changed in [
            cursor.replacen(&cursor[4..6], "AA", 1) + "A",
            cursor[..cursor.len() - 2].to_owned(),
        ] {
            let path = format!("{path}?cursor={changed}");
            assert_problem(&alice.get(&path).await, 422, &path);
        }
    }
}
