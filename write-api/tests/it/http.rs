//! The answers to commands.

use feedmill_events::{Partition, Positions};
use feedmill_service::Shutdown;
use feedmill_tests::{
    client::Client,
    kit::{TempFolder, position_key, wait_until},
    token::now,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use write_api::subcommand::Server;

use crate::harness::{Api, config};

#[tokio::test]
async fn an_account_is_created_and_changed() {
    let api = Api::start().await;
    let client = api.client();
    let answer = client.create_account("Miller_1", " The Miller ").await;
    let answer = answer.expect(201);
    let id = answer.id();
    assert_eq!(answer.header("location"), Some(&*format!("/v1/users/{id}")));
    let position = answer.header("feedmill-position").unwrap();
    let opened = position_key().open(id, position).unwrap();
    let expected = Positions::single(Partition::of(id), 1);
    assert_eq!(opened, expected, "{position}");
    let expected = json!({ "id": id, "handle": "miller_1", "display_name": "The Miller" });
    assert_eq!(answer.json(), expected);

    let again = client.create_account("Miller_1", "Another").await;
    let again = again.expect_problem(409, "handle_taken");
    assert_eq!(again.fields(), ["handle"]);

    let miller = client.with_token(&api.token(id));
    let expected = json!({
        "id": id, "handle": "mill", "display_name": "The Miller", "bio": "I grind.",
        "default_audience": "public", "who_may_message": "everyone",
    });
    // A change of nothing is accepted.
    for change in [json!({ "bio": "I grind.", "handle": "mill" }), json!({})] {
        let changed = miller.change_profile(change).await.expect(200);
        assert_eq!(changed.json(), expected);
    }
    let baker = api.person("baker").await;
    let taken = baker.change_profile(json!({ "handle": "MILL" })).await;
    taken.expect_problem(409, "handle_taken");
}

#[tokio::test]
async fn posts_answer_as_documented() {
    let api = Api::start().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let answer = miller.post(" flour \n", None).await.expect(201);
    let (id, post) = (answer.id(), answer.json());
    assert_eq!(answer.header("location"), Some(&*format!("/v1/posts/{id}")));
    assert!(answer.header("feedmill-position").is_some());
    let at = post["created_at"].as_str().unwrap();
    assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
    let author = json!({ "id": miller.id, "handle": "miller", "display_name": "miller" });
    let expected = json!({
        "id": id, "author": author, "text": "flour", "reply_to": null, "created_at": at,
        "edited_at": null, "like_count": 0, "reply_count": 0,
        "audience": "public", "tags": null, "liked_by_me": false,
    });
    assert_eq!(post, expected);
    let reply = baker.post("bread", Some(id)).await.expect(201);
    assert_eq!(reply.json()["reply_to"], json!(id));

    for text in ["fine flour", " fine flour\n"] {
        let edited = miller.edit_post(id, text).await.expect(204);
        assert!(edited.header("feedmill-position").is_some());
    }
    let path = format!("/v1/posts/{id}");
    let nothing = miller.command(Method::PATCH, &path, Some(json!({})));
    nothing.await.expect(204);
    let edits: i64 =
        sqlx::query_scalar("SELECT count(*) FROM write.events WHERE type = 'post.edited'")
            .fetch_one(&api.database.pool)
            .await
            .unwrap();
    assert_eq!(edits, 1, "the same text, or none, changes nothing");

    let foreign = [
        baker.delete_post(id).await,
        baker.edit_post(id, "bread").await,
    ];
    for foreign in foreign {
        foreign.expect_problem(403, "not_yours");
    }
    miller.delete_post(id).await.expect(204);
    for gone in [
        miller.delete_post(id).await,
        miller.edit_post(id, "flour").await,
        baker.like(id).await,
    ] {
        gone.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn conversations_and_messages_answer_as_documented() {
    let api = Api::start().await;
    let (miller, baker, eater) = (
        api.person("miller").await,
        api.person("baker").await,
        api.person("eater").await,
    );
    let untitled = json!({ "members": [baker.id], "title": null });
    let first = miller.command(Method::POST, "/v1/conversations", Some(untitled));
    let first = first.await.expect(201);
    assert_eq!(first.json()["members"].as_array().unwrap().len(), 2);
    let both = [miller.id, baker.id];
    let second = baker.create_conversation(&both, None);
    let second = second.await.expect(200);
    assert!(second.header("feedmill-position").is_some());
    assert_eq!(second.id(), first.id());
    let others = [baker.id, eater.id];
    let group = miller.create_conversation(&others, Some("Bread"));
    let group = group.await.expect(201);
    assert!(group.header("location").is_some());
    assert_eq!(group.json()["title"], "Bread");

    let sent = miller.send_message(first.id(), "flour?").await.expect(201);
    assert!(sent.header("location").is_some());
    let message = sent.json();
    assert_eq!(message["sender_id"], json!(miller.id));
    assert_eq!(message["text"], "flour?");
    baker.mark_read(first.id(), sent.id()).await.expect(204);
}

#[tokio::test]
async fn every_invalid_field_is_named() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let cases: [(&str, Value, &[&str]); 5] = [
        (
            "/v1/accounts",
            json!({ "handle": "a", "display_name": "", "password": "short" }),
            &["handle", "display_name", "password"],
        ),
        (
            "/v1/sessions",
            json!({ "handle": "", "password": "" }),
            &["handle", "password"],
        ),
        (
            "/v1/posts",
            json!({ "text": "a\u{0}b", "reply_to": "x" }),
            &["text", "reply_to"],
        ),
        (
            "/v1/conversations",
            json!({ "members": ["x", miller.id, "y"], "title": "" }),
            &["title", "members[0]", "members[2]"],
        ),
        ("/v1/posts", json!(["text"]), &[""]),
    ];
    for (path, body, fields) in cases {
        let answer = miller.command(Method::POST, path, Some(body)).await;
        let answer = answer.expect_problem(422, "invalid_request");
        assert_eq!(answer.fields(), fields, "{path}");
    }
    let answer = miller.post("a", Some(Uuid::from_u128(1))).await;
    let answer = answer.expect_problem(404, "not_found");
    assert_eq!(answer.fields(), ["reply_to"]);
    let answer = miller.follow(miller.id).await;
    let answer = answer.expect_problem(422, "self_follow");
    assert_eq!(answer.fields(), [""; 0]);
}

#[tokio::test]
async fn keys_health_and_metrics_are_served() {
    let api = Api::start().await;
    api.person("miller").await;
    let client = api.client();
    let get = async |path: &str| client.command(Method::GET, path, None).await.expect(200);
    let jwks = get("/.well-known/jwks.json").await.json();
    assert_eq!(jwks["keys"][0]["crv"], "Ed25519");
    assert!(jwks["keys"][0].get("d").is_none());
    get("/health/live").await;
    for path in ["/health/ready", "/metrics"] {
        client.command(Method::GET, path, None).await.expect(404);
    }
    let admin = api.admin();
    let get = async |path: &str| admin.command(Method::GET, path, None).await.expect(200);
    // Without NATS it is ready, and degraded.
    wait_until("the state of NATS is known", async || {
        let ready = get("/health/ready").await.json();
        ready["parts"]["nats"].is_string()
    })
    .await;
    let ready = get("/health/ready").await.json();
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["parts"]["database"], "ok");
    assert_eq!(ready["parts"]["nats"], "degraded: not connected");
    let metrics = get("/metrics").await.body;
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
    let folder = TempFolder::new();
    let config = config("postgres://nobody@127.0.0.1:9/nothing", &folder, &[]);
    let (signer, shutdown) = (config.auth.signer().unwrap(), Shutdown::new());
    let server = Server::start(config, shutdown.clone()).await.unwrap();
    let client = Client::new(&format!("http://{}", server.address()), "");
    let get = async |path: &str| client.command(Method::GET, path, None).await;
    let admin = Client::new(&format!("http://{}", server.admin_address()), "");
    let ready = admin.command(Method::GET, "/health/ready", None).await;
    let ready = ready.expect(503).json();
    assert_eq!(ready["parts"]["database"], "PostgreSQL does not answer");
    get("/health/live").await.expect(200);
    let ttl = std::time::Duration::from_mins(1);
    let token = signer.sign(Uuid::from_u128(1), ttl, now()).unwrap();
    let post = client.with_token(&token).post("a", None).await;
    post.expect_problem(503, "database_unavailable");
    let session = client.sign_in("miller").await;
    session.expect_problem(503, "database_unavailable");
    shutdown.now();
    server.join().await.unwrap();
}
