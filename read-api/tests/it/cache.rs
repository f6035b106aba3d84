//! The answer cache. Announcements come through a real NATS server.

use std::{sync::Arc, time::Duration};

use feedmill_events::Tag;
use feedmill_tests::kit::wait_until;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use sqlx::{Executor, PgConnection};
use tokio::{task::JoinSet, time::sleep};
use uuid::Uuid;

use crate::{
    app::{App, Reply},
    nats::Announcer,
};

async fn subscribed() -> (Arc<App>, Announcer) {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    (Arc::new(app), announcer)
}

async fn rename(app: &App, account: Uuid, name: &str) {
    let change = format!("UPDATE accounts SET display_name = '{name}' WHERE id = '{account}'");
    app.run(&change).await;
}

/// Blocks statements that read accounts, after they have taken their snapshot, until it is released.
struct BlockedReads {
    app: Arc<App>,
    lock: PgConnection,
}

impl BlockedReads {
    async fn new(app: &Arc<App>) -> Self {
        app.run(
            "ALTER TABLE profiles.accounts RENAME TO accounts_table;
             CREATE VIEW profiles.accounts AS SELECT * FROM profiles.accounts_table
                WHERE pg_advisory_xact_lock_shared(77)::text = '';
             GRANT SELECT ON profiles.accounts TO feedmill_read",
        )
        .await;
        let mut lock = app.pool.acquire().await.unwrap().detach();
        lock.execute("SELECT pg_advisory_lock(77)").await.unwrap();
        let app = Arc::clone(app);
        Self { app, lock }
    }

    /// How many statements are blocked.
    async fn count(&self) -> i64 {
        let count = sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        );
        count.fetch_one(&self.app.pool).await.unwrap()
    }

    async fn until_any(&self) {
        wait_until("a blocked statement", async || self.count().await > 0).await;
    }

    async fn release(mut self) {
        let unlock = "SELECT pg_advisory_unlock(77)";
        self.lock.execute(unlock).await.unwrap();
    }
}

fn spawn_get(app: &Arc<App>, viewer: Uuid, path: &str) -> tokio::task::JoinHandle<Reply> {
    let (app, path) = (Arc::clone(app), path.to_owned());
    tokio::spawn(async move { app.get(viewer, &path).await })
}

#[tokio::test]
async fn an_answer_is_cached_until_one_of_its_tags_changes() {
    let (app, announcer) = subscribed().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    let post = app.post(other, 0, None).await;
    app.entries(me, &[post]).await;
    let name = |reply: &Reply| reply.body["items"][0]["author"]["display_name"].clone();

    assert!(!app.hits(me, "/v1/feed").await && app.hits(me, "/v1/feed").await);
    assert!(app.hits(me, "/v1/feed?limit=20").await, "the same answer");
    assert!(!app.hits(me, "/v1/feed?limit=19").await);
    rename(&app, other, "Unannounced").await;
    assert_eq!(
        name(&app.get(me, "/v1/feed").await),
        "User 2",
        "the cached answer"
    );
    let unrelated = [
        Tag::account_summary(me),
        Tag::feed(other),
        Tag::followers(other),
    ];
    announcer
        .announce_and_wait(&app, "profiles", &unrelated)
        .await;
    assert!(app.hits(me, "/v1/feed").await);

    let related = [
        ("profiles", Tag::account_summary(other)),
        ("feed", Tag::post(post)),
        ("feed", Tag::posts_of(other)),
        ("feed", Tag::posts_of(me)),
        ("feed", Tag::feed(me)),
    ];
    for (projection, tag) in related {
        assert!(app.hits(me, "/v1/feed").await);
        announcer.announce(projection, &[tag]).await;
        let misses = async || !app.hits(me, "/v1/feed").await;
        wait_until("a miss", misses).await;
    }
    assert_eq!(name(&app.get(me, "/v1/feed").await), "Unannounced");
}

#[tokio::test]
async fn concurrent_requests_for_one_answer_share_a_load() {
    let (app, _announcer) = subscribed().await;
    let me = app.account(1).await;
    let post = app.post(me, 0, None).await;
    app.entries(me, &[post]).await;
    let blocked = BlockedReads::new(&app).await;
    let all: Vec<_> = (0..50).map(|_| spawn_get(&app, me, "/v1/feed")).collect();
    blocked.until_any().await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(
        blocked.count().await,
        1,
        "though the pool has four connections"
    );
    blocked.release().await;
    let mut answers = Vec::new();
    for reply in all {
        let reply = reply.await.unwrap();
        assert_eq!(
            (reply.status, &reply.headers["x-cache"] == "miss"),
            (StatusCode::OK, true)
        );
        answers.push(reply.body);
    }
    assert_eq!(answers[0]["items"].as_array().map(Vec::len), Some(1));
    assert!(answers.iter().all(|body| *body == answers[0]));
}

#[tokio::test]
async fn a_request_whose_loader_disconnects_is_answered() {
    let (app, _announcer) = subscribed().await;
    let me = app.account(1).await;
    let blocked = BlockedReads::new(&app).await;
    let first = spawn_get(&app, me, "/v1/me");
    blocked.until_any().await;
    let second = spawn_get(&app, me, "/v1/me");
    sleep(Duration::from_millis(100)).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    sleep(Duration::from_millis(100)).await;
    blocked.release().await;
    let reply = second.await.unwrap();
    assert_eq!(
        (reply.status, &reply.body["handle"]),
        (StatusCode::OK, &Value::from("user1"))
    );
}

/// The load takes its snapshot before the change, and ends after it.
#[tokio::test]
async fn a_load_from_before_a_change_answers_no_request_after_it() {
    let (app, announcer) = subscribed().await;
    let me = app.account(1).await;
    let probe = Uuid::from_u128(7);
    app.run(&format!(
        "INSERT INTO conversations VALUES ('{probe}', NULL, 0, NULL);
         INSERT INTO members VALUES ('{me}', '{probe}', '{probe}', NULL, 0)"
    ))
    .await;
    let messages = format!("/v1/conversations/{probe}/messages");
    wait_until("a cached answer", async || app.hits(me, &messages).await).await;

    let blocked = BlockedReads::new(&app).await;
    let before = spawn_get(&app, me, "/v1/me");
    blocked.until_any().await;
    app.run(&format!(
        "UPDATE accounts_table SET display_name = 'New' WHERE id = '{me}'"
    ))
    .await;
    announcer
        .announce(
            "profiles",
            &[Tag::account_summary(me), Tag::messages(probe)],
        )
        .await;
    wait_until("the announcement", async || !app.hits(me, &messages).await).await;

    let after: Vec<_> = (0..5).map(|_| spawn_get(&app, me, "/v1/me")).collect();
    sleep(Duration::from_millis(200)).await;
    blocked.release().await;
    let before = before.await.unwrap();
    assert_eq!(
        before.body["display_name"], "User 1",
        "otherwise this tests nothing"
    );
    for reply in after {
        assert_eq!(reply.await.unwrap().body["display_name"], "New");
    }
    assert_eq!(app.get(me, "/v1/me").await.body["display_name"], "New");
}

#[tokio::test]
async fn the_cache_stays_within_its_bound() {
    const MAX_BYTES: u64 = 1 << 20;
    let app = App::with_cache(MAX_BYTES).await;
    let _announcer = Announcer::of(&app).await;
    let author = app.account(1).await;
    for n in 0..100 {
        app.post(author, n, None).await;
    }
    let app = Arc::new(app);
    let mut largest = 0;
    for round in 0..40_u64 {
        let mut reads = JoinSet::new();
        for n in 0..10 {
            let app = Arc::clone(&app);
            reads.spawn(async move {
                let viewer = Uuid::from_u128(u128::from(1_000 + round * 10 + n));
                let coding = ["identity", "gzip", "br"][usize::try_from(n % 3).unwrap()];
                let path = format!("/v1/users/{author}/posts?limit={}", 20 + 3 * n);
                let headers = [("accept-encoding", coding)];
                let raw = app.raw(Method::GET, viewer, &path, &headers).await;
                assert_eq!(raw.status, StatusCode::OK);
                raw.body.len()
            });
        }
        let sent: usize = reads.join_all().await.into_iter().sum();
        assert!(sent > 10_000);
        let bytes = app.cached_bytes();
        assert!(bytes <= MAX_BYTES, "{bytes} bytes after round {round}");
        largest = largest.max(bytes);
    }
    assert!(largest > MAX_BYTES / 2, "only {largest} bytes are used");
}

#[tokio::test]
async fn without_a_cache_every_answer_is_loaded() {
    let app = App::with_cache(0).await;
    let _announcer = Announcer::of(&app).await;
    let me = app.account(1).await;
    for _ in 0..3 {
        let reply = app.get(me, "/v1/me").await;
        assert_eq!(
            (reply.status, &reply.headers["x-cache"] == "miss"),
            (StatusCode::OK, true)
        );
        let etag = reply.headers["etag"].to_str().unwrap();
        let same = app.get_with(me, "/v1/me", &[("if-none-match", etag)]).await;
        assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    }
    rename(&app, me, "New").await;
    assert_eq!(app.get(me, "/v1/me").await.body["display_name"], "New");
}

#[tokio::test]
async fn the_cache_is_bypassed_without_announcements() {
    let (app, mut announcer) = subscribed().await;
    let me = app.account(1).await;
    assert!(!app.hits(me, "/v1/me").await && app.hits(me, "/v1/me").await);
    announcer.server.kill();
    wait_until("the loss of NATS", async || !app.hits(me, "/v1/me").await).await;
    for n in 0..5 {
        let name = format!("New {n}");
        rename(&app, me, &name).await;
        let reply = app.get(me, "/v1/me").await;
        assert_eq!(reply.body["display_name"], *name);
        assert_eq!(reply.headers["x-cache"], "miss");
    }
}

#[tokio::test]
async fn no_viewer_gets_the_answer_of_another() {
    let (app, _announcer) = subscribed().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    let post = app.post(me, 0, None).await;
    app.entries(me, &[post]).await;
    let talk = Uuid::from_u128(7);
    app.run(&format!(
        "INSERT INTO likes (post_id, user_id) VALUES ('{post}', '{me}');
         INSERT INTO conversations VALUES ('{talk}', NULL, 0, NULL);
         INSERT INTO members VALUES ('{me}', '{talk}', '{talk}', NULL, 0)"
    ))
    .await;
    let paths = [
        "/v1/feed".to_owned(),
        "/v1/digest?date=2024-04-13".to_owned(),
        "/v1/conversations".to_owned(),
        "/v1/me".to_owned(),
        format!("/v1/posts/{post}"),
        format!("/v1/users/{me}/posts"),
        format!("/v1/conversations/{talk}/messages"),
    ];
    for path in &paths {
        assert!(
            !app.hits(me, path).await && app.hits(me, path).await,
            "{path}"
        );
        let (mine, others) = (app.get(me, path).await, app.get(other, path).await);
        assert_ne!(mine.body, others.body, "{path}");
    }
    assert_eq!(
        app.get(other, &paths[6]).await.status,
        StatusCode::NOT_FOUND
    );
}

/// The checkpoint shows that a position is applied, but the changes up to it were not announced.
#[tokio::test]
async fn a_read_at_an_unannounced_position_bypasses_the_cache() {
    let (app, announcer) = subscribed().await;
    let me = app.account(1).await;
    assert!(!app.hits(me, "/v1/me").await && app.hits(me, "/v1/me").await);
    let at = async |position: &str| {
        let headers = [("feedmill-min-position", position), ("prefer", "wait=5")];
        let reply = app.get_with(me, "/v1/me", &headers).await;
        assert_eq!(reply.status, StatusCode::OK);
        let hit = reply.headers["x-cache"] == "hit";
        (reply.body["display_name"].as_str().unwrap().to_owned(), hit)
    };
    assert_eq!(at("3:1").await, ("User 1".to_owned(), true));
    rename(&app, me, "New").await;
    for projection in ["profiles", "feed"] {
        app.checkpoint(projection, 1, 3, 2).await;
    }
    assert_eq!(at("3:2").await.0, "New");
    rename(&app, me, "Newer").await;
    for projection in ["profiles", "feed"] {
        announcer.announce(projection, &[]).await;
        announcer
            .announce(projection, &[Tag::account_summary(me)])
            .await;
    }
    assert_eq!(
        at("3:3").await.0,
        "Newer",
        "changes are recorded before their position"
    );
}

#[tokio::test]
async fn what_was_not_there_at_a_position_is_not_in_the_cache_afterwards() {
    let (app, _announcer) = subscribed().await;
    let (me, author) = (app.account(1).await, app.account(2).await);
    let post = app.post(author, 0, None).await;
    let paths = [
        format!("/v1/posts/{post}"),
        format!("/v1/posts/{post}/replies"),
        format!("/v1/users/{author}"),
        format!("/v1/users/{author}/posts"),
    ];
    for path in &paths {
        assert!(!app.hits(me, path).await && app.hits(me, path).await);
    }
    app.block(author, me).await;
    for projection in ["profiles", "feed"] {
        app.checkpoint(projection, 1, 3, 2).await;
    }
    for path in &paths {
        let headers = [("feedmill-min-position", "3:2"), ("prefer", "wait=5")];
        let at_position = app.get_with(me, path, &headers).await;
        assert_eq!(at_position.status, StatusCode::NOT_FOUND, "{path}");
        let afterwards = app.get(me, path).await;
        assert_eq!(afterwards.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_feeds_of_recent_authors_are_loaded_after_a_start() {
    let (app, _announcer) = subscribed().await;
    let (author, reader) = (app.account(1).await, app.account(2).await);
    app.post(author, 0, None).await;
    read_api::warm_up(app.state.clone()).await;
    assert!(app.hits(author, "/v1/feed?limit=20").await);
    assert!(!app.hits(reader, "/v1/feed").await, "has never posted");
    read_api::warm_up(App::with_cache(0).await.state.clone()).await;
}
