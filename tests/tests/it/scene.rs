//! Three people and what they have made, and every endpoint that says something about it.

use feedmill_tests::{client::Client, harness::World};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// Alice and Bob talk; Carol is not in it. Bob follows Alice and has answered her post.
pub struct Scene {
    pub alice: Uuid,
    pub bob: Uuid,
    pub carol: Uuid,
    /// Alice's.
    pub post: Uuid,
    pub reply: Uuid,
    pub talk: Uuid,
    /// Bob's, and of that conversation.
    pub message: Uuid,
    /// Knows the position after all of it, and has no token.
    pub client: Client,
}

/// A command as a client would send it.
#[derive(Debug, Clone)]
pub struct Command {
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
}

impl Scene {
    pub async fn set(world: &World) -> Self {
        let client = world.client();
        let mut people = Vec::new();
        for handle in ["alice", "bob", "carol"] {
            people.push(
                client
                    .create_account(handle, &handle.to_uppercase())
                    .await
                    .expect(201)
                    .id(),
            );
        }
        let [alice, bob, carol] = people[..] else {
            unreachable!("three people")
        };
        let of = |account| client.with_token(&world.signer.token(account));
        let post = of(alice).post("A post", None).await.expect(201).id();
        let reply = of(bob).post("A reply", Some(post)).await.expect(201).id();
        of(bob).follow(alice, true).await.expect(204);
        of(bob).like(post, true).await.expect(204);
        let talk = of(alice)
            .create_conversation(&[bob], None)
            .await
            .expect(201)
            .id();
        let message = of(bob)
            .send_message(talk, "A message")
            .await
            .expect(201)
            .id();
        // So that every list of Alice's and Bob's has a second page.
        of(alice).post("Another post", None).await.expect(201);
        of(bob).post("Another reply", Some(post)).await.expect(201);
        of(alice)
            .send_message(talk, "Another message")
            .await
            .expect(201);
        of(alice)
            .create_conversation(&[bob, carol], Some("All"))
            .await
            .expect(201);
        of(carol).follow(alice, true).await.expect(204);
        of(bob).follow(carol, true).await.expect(204);
        Self {
            alice,
            bob,
            carol,
            post,
            reply,
            talk,
            message,
            client,
        }
    }

    /// Every command that needs a token, each of them legal for Alice.
    pub fn commands(&self) -> Vec<Command> {
        let command =
            |method: Method, path: String, body: Option<Value>| Command { method, path, body };
        let Self {
            bob,
            post,
            talk,
            message,
            ..
        } = self;
        vec![
            command(
                Method::PATCH,
                "/v1/me".into(),
                Some(json!({"bio": "changed"})),
            ),
            command(
                Method::POST,
                "/v1/posts".into(),
                Some(json!({"text": "hello"})),
            ),
            command(
                Method::POST,
                "/v1/posts".into(),
                Some(json!({"text": "hello", "reply_to": post})),
            ),
            command(Method::PUT, format!("/v1/posts/{post}/like"), None),
            command(Method::DELETE, format!("/v1/posts/{post}/like"), None),
            command(Method::PUT, format!("/v1/users/{bob}/follow"), None),
            command(Method::DELETE, format!("/v1/users/{bob}/follow"), None),
            command(
                Method::POST,
                "/v1/conversations".into(),
                Some(json!({"members": [bob, self.carol]})),
            ),
            command(
                Method::POST,
                format!("/v1/conversations/{talk}/messages"),
                Some(json!({"text": "hello"})),
            ),
            command(
                Method::PUT,
                format!("/v1/conversations/{talk}/read"),
                Some(json!({"up_to": message})),
            ),
            command(
                Method::PUT,
                "/v1/notifications/read".into(),
                Some(json!({"up_to": post})),
            ),
            command(Method::DELETE, format!("/v1/posts/{post}"), None),
        ]
    }

    /// Every read, each of them with something to answer for Alice.
    pub fn reads(&self) -> Vec<String> {
        let Self {
            alice, bob, post, ..
        } = self;
        let mut reads = self.lists();
        reads.extend([
            "/v1/digest?period=day&date=2026-01-01".to_owned(),
            "/v1/digest?period=week&date=2026-01-01".to_owned(),
            format!("/v1/posts/{post}"),
            format!("/v1/users/{alice}"),
            "/v1/users/@bob".to_owned(),
            format!("/v1/users/{bob}/posts"),
            "/v1/me".to_owned(),
        ]);
        reads
    }

    /// Every list, each with more than one item.
    pub fn lists(&self) -> Vec<String> {
        let Self {
            alice,
            bob,
            post,
            talk,
            ..
        } = self;
        vec![
            "/v1/feed".to_owned(),
            "/v1/conversations".to_owned(),
            "/v1/notifications".to_owned(),
            format!("/v1/conversations/{talk}/messages"),
            format!("/v1/posts/{post}/replies"),
            format!("/v1/users/{alice}/posts"),
            format!("/v1/users/{alice}/followers"),
            format!("/v1/users/{bob}/following"),
        ]
    }
}

impl Command {
    pub async fn send(&self, client: &Client) -> feedmill_tests::client::Answer {
        client
            .command(self.method.clone(), &self.path, self.body.clone())
            .await
    }
}

/// A problem document of this status, and its parts.
#[track_caller]
pub fn assert_problem(answer: &feedmill_tests::client::Answer, status: u16, context: &str) {
    assert_eq!(answer.status.as_u16(), status, "{context}: {answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{context}: {answer:?}"
    );
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{context}: {answer:?}");
    for part in ["type", "title", "detail", "code"] {
        let filled = problem[part].as_str().is_some_and(|text| !text.is_empty());
        assert!(filled, "{context}: no {part} in {answer:?}");
    }
}

/// Everything that a command may change, as one number a table.
pub async fn everything(world: &World) -> Vec<(String, i64)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables
         WHERE table_schema = 'write' AND table_name NOT LIKE '\\_%' ORDER BY 1",
    )
    .fetch_all(&world.pool)
    .await
    .expect("the tables");
    let mut counts = Vec::new();
    for table in tables {
        // The hash of all rows: a change that leaves the count as it was shows too.
        let sql = format!(
            "SELECT coalesce(sum(hashtextextended(t::text, 0) % 1000000007), 0)::bigint FROM write.{table} AS t"
        );
        let sum: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&world.pool)
            .await
            .expect("a sum");
        counts.push((table, sum));
    }
    counts
}
