//! PostgreSQL is restored to an earlier time from a backup.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use feedmill_tests::{
    client::{Answer, Client, http},
    jetstream,
    kit::{Backups, Stack, StackConfig, wait_until, wait_until_within},
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// A device of a person: an access token of a session, a refresh token, and the position of the last command.
struct Device {
    client: Client,
    session: Value,
    position: String,
}

impl Device {
    async fn sign_in(stack: &Stack, handle: &str) -> Self {
        // A client without positions of its own, as those of other programs are.
        let anyone = Client::new(&stack.target.write[0], &stack.target.read[0]);
        let session = anyone.sign_in(handle).await.expect(201).json();
        Self {
            client: anyone.with_token(session["access_token"].as_str().expect("a token")),
            session,
            position: String::new(),
        }
    }

    async fn post(&mut self, text: &str) -> Uuid {
        let answer = self.client.post(text, None).await.expect(201);
        let position = answer.header("feedmill-position").expect("a position");
        position.clone_into(&mut self.position);
        answer.id()
    }

    /// A page that is at least as new as the last command.
    async fn get(&self, path: &str) -> Answer {
        let request = http()
            .get(format!("{}{path}", self.client.read))
            .header("Feedmill-Min-Position", &self.position)
            .header("Prefer", "wait=10");
        self.client.send(self.client.signed(request)).await
    }

    async fn refresh(&self) -> Answer {
        let token = json!({"refresh_token": self.session["refresh_token"]});
        self.client
            .command(Method::POST, "/v1/sessions/refresh", Some(token))
            .await
    }
}

fn texts(page: &Answer) -> Vec<String> {
    let items = page.json()["items"].as_array().cloned().unwrap_or_default();
    let texts = items.iter().filter_map(|post| post["text"].as_str());
    texts.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_to_an_earlier_time_loses_what_came_after_and_nothing_else() {
    let mut stack = Stack::start(StackConfig {
        faults: true,
        ..StackConfig::with_default_limits()
    })
    .await;
    let folder = stack.file("backups");
    std::fs::create_dir(&folder).unwrap();
    let backups = Backups::set_up(stack.postgres(), &folder).await;
    for service in stack.services_mut() {
        service.restart().await;
    }
    let client = stack.client();
    client.create_account("alice", "Alice").await.expect(201);
    let bob_id = client.create_account("bob", "Bob").await.expect(201).id();
    let mut alice = Device::sign_in(&stack, "alice").await;
    let bob = Device::sign_in(&stack, "bob").await;

    // A base backup under load.
    let done = AtomicBool::new(false);
    let load = async {
        let mut count = 0;
        while !done.load(Ordering::Relaxed) {
            alice.post(&format!("during the backup {count}")).await;
            count += 1;
        }
        count
    };
    let postgres = stack.postgres.as_ref().expect("a server of its own");
    let back_up = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::task::block_in_place(|| backups.back_up(postgres));
        done.store(true, Ordering::Relaxed);
    };
    let (during, ()) = tokio::join!(load, back_up);
    // pgBackRest knows the end of a backup to the second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let doomed = alice.post("to be deleted after the recovery point").await;
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    let time: String = sqlx::query_scalar("SELECT clock_timestamp()::text")
        .fetch_one(&mut connection)
        .await
        .unwrap();

    let mut stream = alice.client.stream(None).await.expect("a stream");
    stream.next().await.expect("an event");

    // What is lost.
    let late = Device::sign_in(&stack, "alice").await;
    alice.client.delete_post(doomed).await.expect(204);
    alice.client.block(bob_id, true).await.expect(204);
    let lost_post = alice.post("lost").await;
    let seen = alice.get("/v1/me/posts").await.expect(200);
    assert_eq!(texts(&seen)[0], "lost");
    late.client.get("/v1/me").await.expect(200);
    alice.refresh().await.expect(201);
    jetstream_has_all(&stack).await;
    archive(&mut connection).await;
    connection.close().await.ok();

    let refused = stack.run("write-api", &["finish-restore"]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && error.contains("stop them first"),
        "{error}"
    );

    // The disaster, and the restore.
    for service in stack.services_mut() {
        service.kill();
    }
    stack.postgres().stop().await;
    backups.restore(stack.postgres(), &time);
    stack.postgres().launch().await;
    recovered(&stack).await;

    // Somebody starts write-api too early. It serves, but what it has published before stays in the stream.
    stack.write[0].restart().await;
    alice.post("too early").await;
    wait_until("the relay says why it does not publish", async || {
        let health = http().get(stack.write[0].operators_url("/health/ready"));
        let health = health.send().await.expect("an answer").text().await;
        health.expect("text").contains("finish-restore")
    })
    .await;
    stack.write[0].kill();

    let lost = stack.run("projector", &["events", "lost"]);
    assert!(lost.status.success(), "{lost:?}");
    let lines: Vec<Value> = String::from_utf8_lossy(&lost.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!(
        (of("post.deleted"), of("account.blocked")),
        (1, 2),
        "{lines:?}"
    );
    // A block has an event in the partition of each of the two.
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line["data"]["post"] == doomed.to_string())
    );
    let summary = String::from_utf8_lossy(&lost.stderr);
    assert!(summary.contains("1 post.created"), "{summary}");
    let finished = stack.run("write-api", &["finish-restore"]);
    assert!(finished.status.success(), "{finished:?}");
    // The read side first, which must not read from the stream what the relay has not removed yet.
    for service in stack.services_mut().rev() {
        service.launch();
    }
    for service in stack.services_mut() {
        service.ready().await;
    }

    // Whoever signed in before has to sign in again.
    for device in [&alice, &late, &bob] {
        let refused = device
            .client
            .command(Method::GET, "/v1/sessions", None)
            .await;
        refused.expect_problem(401, "session_ended");
        let refused = device.client.get("/v1/me").await;
        refused.expect_problem(401, "session_ended");
        assert_eq!(device.refresh().await.status, 401);
    }
    let old_event = stream.last_event_id.clone().expect("an id");
    let old_position = alice.position.clone();
    let mut alice = Device::sign_in(&stack, "alice").await;
    alice.position = old_position;
    let refused = alice.get("/v1/feed").await;
    assert_eq!(
        refused.expect_problem(422, "invalid_request").fields(),
        ["Feedmill-Min-Position"]
    );

    let mut stream = alice
        .client
        .stream(Some(&old_event))
        .await
        .expect("a stream");
    let mut names = Vec::new();
    while !names.contains(&"reset".to_owned()) {
        names.push(stream.next().await.expect("an event").name);
        assert!(names.len() < 5, "{names:?}");
    }

    // Everything is as it was then, and goes on.
    alice.post("after the restore").await;
    let posts = alice.get("/v1/me/posts?limit=100").await.expect(200);
    let newest = texts(&posts);
    assert_eq!(
        newest[..3],
        [
            "after the restore",
            "too early",
            "to be deleted after the recovery point"
        ]
    );
    let total = alice.get("/v1/me").await.expect(200).json()["posts_count"].clone();
    assert_eq!(total, json!(during + 3));
    assert_eq!(
        alice.get(&format!("/v1/posts/{lost_post}")).await.status,
        404
    );
    let bob = Device::sign_in(&stack, "bob").await;
    bob.client
        .get(&format!("/v1/posts/{doomed}"))
        .await
        .expect(200);
    jetstream_has_all(&stack).await;
    let verified = stack.run("projector", &["verify", "--all"]);
    assert!(verified.status.success(), "{verified:?}");
    let nothing = stack.run("projector", &["events", "lost", "--all"]);
    assert!(
        nothing.status.success() && nothing.stdout.is_empty(),
        "{nothing:?}"
    );
}

/// Waits until the stream has exactly what the log has.
async fn jetstream_has_all(stack: &Stack) {
    wait_until_within(
        "the stream equals the log",
        Duration::from_mins(1),
        async || {
            let compared =
                jetstream::check(&stack.nats.operator_url(), &stack.pool, &[].into()).await;
            compared.is_ok()
        },
    )
    .await;
}

/// Waits until the WAL up to now is archived.
async fn archive(connection: &mut PgConnection) {
    let file: String = sqlx::query_scalar("SELECT pg_walfile_name(pg_switch_wal())")
        .fetch_one(&mut *connection)
        .await
        .expect("an answer");
    loop {
        let archived: Option<String> =
            sqlx::query_scalar("SELECT last_archived_wal FROM pg_stat_archiver")
                .fetch_one(&mut *connection)
                .await
                .expect("an answer");
        if archived.is_some_and(|archived| archived >= file) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the restored server accepts writes.
async fn recovered(stack: &Stack) {
    wait_until_within("recovery ends", Duration::from_mins(1), async || {
        let recovering = sqlx::query_scalar("SELECT pg_is_in_recovery()")
            .fetch_one(&stack.pool)
            .await;
        matches!(recovering, Ok(false))
    })
    .await;
}
