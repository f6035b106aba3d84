//! What does not fit is refused with a problem document that names the field, and never with a 5xx.

use feedmill_tests::{
    client::{Answer, Client},
    harness::{Plan, World},
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::scene::{Scene, assert_problem, everything};

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_by_field() {
    let world = World::start(Plan::default()).await;
    let scene = Scene::set(&world).await;
    let alice = scene.client.with_token(&world.signer.token(scene.alice));
    let before = everything(&world).await;

    fields(&scene, &alice).await;
    bodies(&scene, &alice).await;
    headers(&alice).await;
    queries(&scene, &alice).await;

    assert_eq!(
        everything(&world).await,
        before,
        "something that was refused changed the state"
    );
}

#[track_caller]
fn assert_field(answer: &Answer, field: &str, context: &str) {
    assert_problem(answer, 422, context);
    let problem = answer.json();
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let named = errors.iter().any(|error| {
        error["field"] == field
            && error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
    });
    assert!(named, "{context}: {field} is not named in {}", answer.body);
}

/// A legal body of each command that has one, and per field what does not fit it.
async fn fields(scene: &Scene, alice: &Client) {
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
            [id, vec![json!(null)]].concat(),
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

/// Bodies that are not what they say, at every command that takes one.
async fn bodies(scene: &Scene, alice: &Client) {
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

async fn headers(alice: &Client) {
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

async fn queries(scene: &Scene, alice: &Client) {
    for path in scene.lists() {
        for limit in [
            "0",
            "1000",
            "101",
            "-1",
            "1.5",
            "ten",
            "",
            "99999999999999999999",
        ] {
            let path = format!("{path}?limit={limit}");
            assert_field(&alice.get(&path).await, "limit", &path);
        }
        for cursor in [
            "x",
            "AAAA",
            "%00",
            "%FF%FE",
            "..%2F..",
            "é",
            "'--",
            &"A".repeat(5_000),
        ] {
            let path = format!("{path}?cursor={cursor}");
            assert_field(
                &alice.get(&path).await,
                "cursor",
                &path[..path.len().min(100)],
            );
        }
        let path = format!("{path}?colour=red");
        let answer = alice.get(&path).await;
        assert!(
            [200, 422].contains(&answer.status.as_u16()),
            "{path}: {answer:?}"
        );
    }
    for (query, field) in [
        ("period=month&date=2026-01-01", "period"),
        ("period=&date=2026-01-01", "period"),
        ("date=2026-01-01", "period"),
        ("period=day&date=2026-13-01", "date"),
        ("period=day&date=2026-02-30", "date"),
        ("period=day&date=yesterday", "date"),
        ("period=day&date=", "date"),
        ("period=day&date=99999-01-01", "date"),
        ("period=week&date=-9999-01-01", "date"),
    ] {
        let path = format!("/v1/digest?{query}");
        assert_field(&alice.get(&path).await, field, &path);
    }
    for query in [
        "period=week&date=9999-12-31",
        "period=week&date=0001-01-01",
        "period=day&date=1969-12-31",
    ] {
        let answer = alice.get(&format!("/v1/digest?{query}")).await;
        assert!(
            [200, 422].contains(&answer.status.as_u16()),
            "{query}: {answer:?}"
        );
    }
}

fn shown(body: &Value) -> String {
    body.to_string().chars().take(120).collect()
}
