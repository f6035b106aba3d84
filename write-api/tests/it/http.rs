//! The answers to commands.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Api, Person, problem};

async fn json_of(response: Response, status: u16) -> Value {
    assert_eq!(response.status(), status);
    response.json().await.unwrap()
}

fn position(response: &Response) -> String {
    response.headers()["feedmill-position"]
        .to_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn an_account_is_created_and_changed() {
    let api = Api::start().await;
    let body =
        json!({ "handle": "Miller_1", "display_name": " The Miller ", "password": "long enough" });
    let response = api.post("/v1/accounts", body.clone()).await;
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(position(&response).ends_with(":1"));
    let account = json_of(response, 201).await;
    let id = account["id"].as_str().unwrap();
    assert_eq!(location, format!("/v1/users/{id}"));
    assert_eq!(
        account,
        json!({ "id": id, "handle": "miller_1", "display_name": "The Miller" })
    );

    let again = api.post("/v1/accounts", body).await;
    assert_eq!(
        problem(again).await,
        (409, "handle_taken".to_owned(), vec!["handle".to_owned()])
    );

    let me = Person {
        api: &api,
        id: id.parse().unwrap(),
        token: api.token(id.parse().unwrap()),
    };
    let change = |body| me.request(Method::PATCH, "/v1/me").json(&body).send();
    let changed = change(json!({ "bio": "I grind.", "handle": "mill" }))
        .await
        .unwrap();
    let changed = json_of(changed, 200).await;
    let expected =
        json!({ "id": id, "handle": "mill", "display_name": "The Miller", "bio": "I grind." });
    assert_eq!(changed, expected);
    // A change of nothing is accepted.
    assert_eq!(
        json_of(change(json!({})).await.unwrap(), 200).await,
        expected
    );
    let baker = api.person("baker").await;
    let taken = baker
        .request(Method::PATCH, "/v1/me")
        .json(&json!({ "handle": "MILL" }))
        .send()
        .await
        .unwrap();
    assert_eq!(problem(taken).await.1, "handle_taken");
}

#[tokio::test]
async fn posts_and_links_answer_as_documented() {
    let api = Api::start().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let response = miller
        .post("/v1/posts", json!({ "text": " flour \n" }))
        .await;
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    position(&response);
    let post = json_of(response, 201).await;
    let id = post["id"].as_str().unwrap();
    assert_eq!(location, format!("/v1/posts/{id}"));
    let at = post["created_at"].as_str().unwrap();
    assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
    let author = json!({ "id": miller.id, "handle": "miller", "display_name": "miller" });
    let expected = json!({
        "id": id, "author": author, "text": "flour", "reply_to": null, "created_at": at,
        "like_count": 0, "reply_count": 0, "liked_by_me": false,
    });
    assert_eq!(post, expected);

    let reply = baker
        .post("/v1/posts", json!({ "text": "bread", "reply_to": id }))
        .await;
    let reply = json_of(reply, 201).await;
    assert_eq!(reply["reply_to"], id);

    for path in [
        format!("{location}/like"),
        format!("/v1/users/{}/follow", miller.id),
    ] {
        for _ in 0..2 {
            let response = baker.put(&path).await;
            assert_eq!(response.status(), 204);
            position(&response);
        }
        for _ in 0..2 {
            assert_eq!(baker.delete(&path).await.status(), 204);
        }
    }
    assert_eq!(problem(baker.delete(&location).await).await.0, 403);
    assert_eq!(miller.delete(&location).await.status(), 204);
    assert_eq!(problem(miller.delete(&location).await).await.0, 404);
    assert_eq!(
        problem(baker.put(&format!("{location}/like")).await)
            .await
            .0,
        404
    );
    let myself = baker.put(&format!("/v1/users/{}/follow", baker.id)).await;
    assert_eq!(
        problem(myself).await,
        (422, "self_follow".to_owned(), vec![])
    );
}

#[tokio::test]
async fn conversations_and_messages_answer_as_documented() {
    let api = Api::start().await;
    let (miller, baker, eater) = (
        api.person("miller").await,
        api.person("baker").await,
        api.person("eater").await,
    );
    let start = async |who: &Person, members: &[Uuid], title: Option<&str>| {
        who.post(
            "/v1/conversations",
            json!({ "members": members, "title": title }),
        )
        .await
    };
    let first = json_of(start(&miller, &[baker.id], None).await, 201).await;
    assert_eq!(first["members"].as_array().unwrap().len(), 2);
    let second = start(&baker, &[miller.id, baker.id], None).await;
    assert!(second.headers().contains_key("feedmill-position"));
    assert_eq!(json_of(second, 200).await["id"], first["id"]);
    let group = start(&miller, &[baker.id, eater.id], Some("Bread")).await;
    assert!(group.headers().contains_key("location"));
    assert_eq!(json_of(group, 201).await["title"], "Bread");
    assert_eq!(
        problem(start(&miller, &[miller.id], None).await).await.2,
        ["members"]
    );
    assert_eq!(
        problem(start(&miller, &[Uuid::from_u128(9)], None).await)
            .await
            .0,
        404
    );

    let path = format!("/v1/conversations/{}", first["id"].as_str().unwrap());
    let sent = miller
        .post(&format!("{path}/messages"), json!({ "text": "flour?" }))
        .await;
    assert!(sent.headers().contains_key("location"));
    let message = json_of(sent, 201).await;
    assert_eq!(message["sender_id"], miller.id.to_string());
    assert_eq!(message["text"], "flour?");
    let read = async |who: &Person, up_to: &Value| {
        let mark = who
            .request(Method::PUT, &format!("{path}/read"))
            .json(&json!({ "up_to": up_to }));
        mark.send().await.unwrap()
    };
    assert_eq!(read(&baker, &message["id"]).await.status(), 204);
    assert_eq!(
        problem(read(&baker, &json!(Uuid::from_u128(9))).await)
            .await
            .0,
        404
    );
    // A conversation of others is not found.
    assert_eq!(problem(read(&eater, &message["id"]).await).await.0, 404);
    let outsider = eater
        .post(&format!("{path}/messages"), json!({ "text": "mine?" }))
        .await;
    assert_eq!(problem(outsider).await.0, 404);
}

#[tokio::test]
async fn every_invalid_field_is_named() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let cases: [(&str, Value, u16, &[&str]); 14] = [
        (
            "/v1/accounts",
            json!({ "handle": "a", "display_name": "", "password": "short" }),
            422,
            &["handle", "display_name", "password"],
        ),
        (
            "/v1/accounts",
            json!({ "handle": 7, "display_name": "a", "password": "long enough" }),
            422,
            &["handle"],
        ),
        (
            "/v1/accounts",
            json!({ "handle": "abc", "display_name": "a" }),
            422,
            &["password"],
        ),
        (
            "/v1/accounts",
            json!({ "handle": "abc", "display_name": "a", "password": "long enough", "admin": true }),
            422,
            &["admin"],
        ),
        (
            "/v1/sessions",
            json!({ "handle": "", "password": "" }),
            422,
            &["handle", "password"],
        ),
        (
            "/v1/sessions/refresh",
            json!({ "refresh_token": null }),
            422,
            &["refresh_token"],
        ),
        ("/v1/posts", json!({ "text": " \t " }), 422, &["text"]),
        (
            "/v1/posts",
            json!({ "text": "a\u{0}b", "reply_to": "x" }),
            422,
            &["text", "reply_to"],
        ),
        (
            "/v1/posts",
            json!({ "text": "x".repeat(5_001) }),
            422,
            &["text"],
        ),
        (
            "/v1/posts",
            json!({ "text": "a", "reply_to": Uuid::from_u128(1) }),
            404,
            &["reply_to"],
        ),
        (
            "/v1/conversations",
            json!({ "members": ["x", miller.id, "y"], "title": "" }),
            422,
            &["title", "members[0]", "members[2]"],
        ),
        (
            "/v1/conversations",
            json!({ "members": "x" }),
            422,
            &["members"],
        ),
        (
            "/v1/conversations",
            json!({ "members": [1] }),
            422,
            &["members[0]"],
        ),
        ("/v1/posts", json!(["text"]), 422, &[""]),
    ];
    for (path, body, status, fields) in cases {
        let (actual, code, named) = problem(miller.post(path, body.clone()).await).await;
        assert_eq!(
            (actual, named.as_slice()),
            (
                status,
                fields
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .as_slice()
            ),
            "{path} {body}"
        );
        assert_eq!(
            code,
            if status == 422 {
                "invalid_request"
            } else {
                "not_found"
            }
        );
    }
}

#[tokio::test]
async fn a_malformed_request_is_refused() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let send = async |content_type: &str, body: Vec<u8>| {
        let request = miller
            .request(Method::POST, "/v1/posts")
            .header("content-type", content_type);
        problem(request.body(body).send().await.unwrap()).await.0
    };
    assert_eq!(send("text/plain", b"{\"text\":\"a\"}".to_vec()).await, 415);
    assert_eq!(send("application/json", b"{\"text\":".to_vec()).await, 400);
    assert_eq!(send("application/json", b"".to_vec()).await, 400);
    assert_eq!(
        send("application/json", b"{\"text\":\"\xff\"}".to_vec()).await,
        400
    );
    assert_eq!(send("application/json", vec![b' '; 1_100_000]).await, 413);
    assert_eq!(
        problem(miller.put("/v1/posts/nonsense/like").await).await.0,
        404
    );
    assert_eq!(
        problem(miller.put("/v1/users/@miller/follow").await)
            .await
            .0,
        404
    );
    assert_eq!(problem(miller.put("/v1/nothing").await).await.0, 404);
    assert_eq!(problem(miller.put("/v1/posts").await).await.0, 405);
    for key in ["", "with space", &"x".repeat(256), "ümlaut"] {
        let request = miller
            .request(Method::POST, "/v1/posts")
            .header("Idempotency-Key", key.as_bytes());
        let refused = request.json(&json!({ "text": "a" })).send().await.unwrap();
        assert_eq!(problem(refused).await.2, ["Idempotency-Key"], "{key:.20}");
    }
}

#[tokio::test]
async fn a_token_of_an_account_that_does_not_exist_is_refused() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let post = miller.new_post("flour").await;
    let id = Uuid::from_u128(0x77);
    let nobody = Person {
        api: &api,
        id,
        token: api.token(id),
    };
    let refused = nobody.put(&format!("/v1/posts/{post}/like")).await;
    assert_eq!(
        problem(refused).await,
        (401, "unknown_account".to_owned(), vec![])
    );
    let refused = nobody.post("/v1/posts", json!({ "text": "a" })).await;
    assert_eq!(problem(refused).await.1, "unknown_account");
    let refused = api.post("/v1/posts", json!({ "text": "a" })).await;
    assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    assert_eq!(problem(refused).await.0, 401);
}

#[tokio::test]
async fn keys_health_and_metrics_are_served() {
    let api = Api::start().await;
    api.person("miller").await;
    let get = async |path: &str| api.request(Method::GET, path).send().await.unwrap();
    let jwks = json_of(get("/.well-known/jwks.json").await, 200).await;
    assert_eq!(jwks["keys"][0]["crv"], "Ed25519");
    assert!(jwks["keys"][0].get("d").is_none());
    assert_eq!(get("/health/live").await.status(), StatusCode::OK);
    // Without NATS it is ready, and degraded.
    let mut ready = Value::Null;
    for _ in 0..100 {
        ready = json_of(get("/health/ready").await, 200).await;
        if ready["parts"]["nats"].is_string() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["parts"]["database"], "ok");
    assert_eq!(ready["parts"]["nats"], "degraded: not connected");
    let metrics = get("/metrics").await.text().await.unwrap();
    for name in [
        "commands_total{command=\"create_account\",outcome=\"accepted\"}",
        "relay_lag_events",
        "http_requests_total",
        "command_duration_seconds",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn without_postgresql_it_starts_and_is_not_ready() {
    feedmill_service::telemetry::install_crypto_provider();
    let folder = crate::harness::Folder::new();
    let key = folder.path().join("key.pem");
    let config = crate::harness::config(&[
        "--write-database-url",
        "postgres://nobody@127.0.0.1:9/nothing",
        "--auth-key-file",
        key.to_str().unwrap(),
    ]);
    let signer = config.auth.signer().unwrap();
    let shutdown = feedmill_service::Shutdown::new();
    let server = write_api::subcommand::Server::start(config, shutdown.clone())
        .await
        .unwrap();
    let url = |path: &str| format!("http://{}{path}", server.address());
    let ready = reqwest::get(url("/health/ready")).await.unwrap();
    let ready = json_of(ready, 503).await;
    assert_eq!(ready["parts"]["database"], "PostgreSQL does not answer");
    assert_eq!(
        reqwest::get(url("/health/live")).await.unwrap().status(),
        200
    );
    let now = write_api::domain::Clock::default().now().at();
    let token = signer
        .sign(Uuid::from_u128(1), std::time::Duration::from_mins(1), now)
        .unwrap();
    let client = reqwest::Client::new();
    let post = client
        .post(url("/v1/posts"))
        .bearer_auth(token)
        .json(&json!({ "text": "a" }));
    assert_eq!(
        problem(post.send().await.unwrap()).await.1,
        "database_unavailable"
    );
    let credentials = json!({ "handle": "miller", "password": "long enough" });
    let session = client
        .post(url("/v1/sessions"))
        .json(&credentials)
        .send()
        .await
        .unwrap();
    assert_eq!(problem(session).await.1, "database_unavailable");
    shutdown.now();
    server.join().await.unwrap();
}
