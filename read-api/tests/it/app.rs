//! A running read API on its own database, and helpers that fill its tables.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use feedmill_events::{Partition, Positions, id};
use feedmill_service::{
    Database, Health, HttpArgs, Shutdown, Signer, Verifier, http, sql, telemetry,
};
use feedmill_tests::{
    kit::{self, Role, announcement_key, position_key},
    token::now,
};
use read_api::{
    AnswerCache, AppState, Caches, Cursors, FeedCache, Limits, PostCache, Progress, ReadSecrets,
    ScoreCache, Secrets, Shared, Streams, TagVersions, poll_checkpoints, search_path,
};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, PgPool};
use tokio::net::TcpListener;
use uuid::Uuid;

/// 2024-04-13T09:20:00Z, a Saturday. The tests' times are relative to it.
pub const START: i64 = 1_713_000_000_000;

pub struct App {
    /// Connections as the tables' owner, to fill them.
    pub pool: PgPool,
    /// The connections of the service, which may only read.
    pub database: Database,
    pub progress: Progress,
    pub state: AppState,
    pub signer: Signer,
    pub shutdown: Shutdown,
    pub address: String,
    client: reqwest::Client,
    _test_database: kit::Database,
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

pub struct Raw {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A page of a list.
struct Page {
    items: Vec<Value>,
    next: Option<String>,
    /// The cursor in the link back.
    prev: Option<String>,
    /// The cursor back in the body.
    back: Option<String>,
}

impl Raw {
    pub fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }
}

impl Reply {
    /// The invalid fields that a problem names.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array();
        errors
            .into_iter()
            .flatten()
            .filter_map(|error| error["field"].as_str())
            .collect()
    }

    pub fn code(&self) -> (u16, &str) {
        (
            self.status.as_u16(),
            self.body["code"].as_str().unwrap_or("no code"),
        )
    }
}

impl App {
    /// Without announcements, so the cache is bypassed.
    pub async fn start() -> Self {
        Self::with_cache(1 << 26).await
    }

    pub async fn with_cache(max_bytes: u64) -> Self {
        Self::with_caches(max_bytes, max_bytes).await
    }

    /// With caches of so many bytes for answers, and for each kind of fragment.
    pub async fn with_caches(answers: u64, fragments: u64) -> Self {
        let signer = Signer::new([7; 32], "feedmill", "feedmill").unwrap();
        let verifier = Verifier::of(&signer);
        Self::with_verifier(answers, fragments, signer, verifier).await
    }

    /// That accepts the tokens of a verifier, which need not be those of `signer`.
    pub async fn with_verifier(
        answers: u64,
        fragments: u64,
        signer: Signer,
        verifier: Verifier,
    ) -> Self {
        telemetry::install_crypto_provider();
        let test_database = kit::Database::with_read_models().await;
        let pool = test_database.pool_with_search_path(&search_path());
        // The service itself may only read.
        let url = test_database.url_as(Role::ReadApi);
        let options = sql::options(&url, "test", Some(&search_path())).unwrap();
        let read_only = Database::new(options, 4).unwrap();
        let tag_versions = TagVersions::default();
        let (health, shutdown, progress) = (
            Health::new(),
            Shutdown::new(),
            Progress::new(tag_versions.clone()),
        );
        tokio::spawn(
            shutdown
                .soft
                .clone()
                .run_until_cancelled_owned(poll_checkpoints(
                    progress.clone(),
                    read_only.clone(),
                    health.clone(),
                )),
        );
        let limits = Limits {
            streams: 30,
            streams_per_account: 20,
            statements: 2,
        };
        let cursors = Cursors::new(&[9; 32]);
        let streams = Streams::new(
            limits,
            read_only.clone(),
            cursors.clone(),
            progress.clone(),
            shutdown.soft.clone(),
        );
        tokio::spawn(
            shutdown
                .soft
                .clone()
                .run_until_cancelled_owned(streams.clone().wake()),
        );
        let state = AppState::new(Shared {
            database: read_only.clone(),
            verifier,
            cursors,
            progress: progress.clone(),
            secrets: Secrets::of(
                read_only.clone(),
                ReadSecrets {
                    announcements: announcement_key(),
                    positions: position_key(),
                    incarnation_began: 0,
                },
            ),
            caches: Caches {
                answers: AnswerCache::new(answers, tag_versions.clone()),
                posts: PostCache::new(fragments, tag_versions.clone()),
                scores: ScoreCache::new(fragments, tag_versions.clone()),
                feeds: FeedCache::new(fragments, &tag_versions),
            },
            tag_versions,
            streams,
        });
        let args = HttpArgs::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let routes = http::standard(read_api::router(state.clone()), &args);
        let stop = shutdown.clone();
        tokio::spawn(async move { http::serve(listener, routes, &args, stop).await.unwrap() });
        Self {
            pool,
            database: read_only,
            progress,
            state,
            signer,
            address,
            client: reqwest::Client::new(),
            shutdown,
            _test_database: test_database,
        }
    }

    pub fn token(&self, account: Uuid) -> String {
        self.signer
            .sign(account, Duration::from_mins(10), now())
            .unwrap()
    }

    pub async fn get(&self, viewer: Uuid, path: &str) -> Reply {
        self.get_with(viewer, path, &[]).await
    }

    /// Whether the answer comes from the cache.
    pub async fn hits(&self, viewer: Uuid, path: &str) -> bool {
        let reply = self.get(viewer, path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.body);
        reply.headers["x-cache"] == "hit"
    }

    pub async fn get_with(&self, viewer: Uuid, path: &str, headers: &[(&str, &str)]) -> Reply {
        let bearer = format!("Bearer {}", self.token(viewer));
        let sealed: Vec<_> = headers
            .iter()
            .map(|(_, value)| seal(viewer, value))
            .collect();
        let values = headers.iter().zip(&sealed);
        let headers = values.map(|((name, _), value)| (*name, value.as_str()));
        let headers: Vec<_> = [("authorization", bearer.as_str())]
            .into_iter()
            .chain(headers)
            .collect();
        self.send(Method::GET, path, &headers).await
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        let raw = self.exchange(method, path, headers).await;
        let body = if raw.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&raw.body).unwrap()
        };
        Reply {
            status: raw.status,
            headers: raw.headers,
            body,
        }
    }

    /// With the body as it came over the wire.
    pub async fn raw(
        &self,
        method: Method,
        viewer: Uuid,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Raw {
        let bearer = format!("Bearer {}", self.token(viewer));
        let headers = [&[("authorization", bearer.as_str())], headers].concat();
        self.exchange(method, path, &headers).await
    }

    async fn exchange(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Raw {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        Raw {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap(),
        }
    }

    /// All items of a list, page by page. Checks the contract of each page, and reads the pages back from the last one.
    pub async fn all(&self, viewer: Uuid, path: &str, limit: usize) -> Vec<Value> {
        let (mut pages, mut next) = (Vec::new(), format!("{path}?limit={limit}"));
        let mut cursor = loop {
            let page = self.page(viewer, path, &next, limit).await;
            assert_eq!(page.prev.is_some(), !pages.is_empty(), "{next}");
            pages.push(page.items);
            assert!(pages.len() < 1_000, "{path} does not end");
            let Some(cursor) = page.next else {
                break page.back;
            };
            assert_eq!(
                pages.last().map(Vec::len),
                Some(limit),
                "only the last page is short"
            );
            next = format!("{path}?limit={limit}&cursor={cursor}");
        };
        let items = pages.concat();
        let mut before = items.len() - pages.last().map_or(0, Vec::len);
        while let Some(from) = cursor {
            let back = format!("{path}?limit={limit}&cursor={from}");
            let page = self.page(viewer, path, &back, limit).await;
            let start = before.saturating_sub(limit);
            assert_eq!(page.items, items[start..before], "{back}");
            assert_eq!(page.prev.is_some(), start > 0, "{back}");
            if page.items.is_empty() {
                break;
            }
            assert!(page.next.is_some(), "{back}");
            (before, cursor) = (start, page.back);
        }
        items
    }

    async fn page(&self, viewer: Uuid, list: &str, path: &str, limit: usize) -> Page {
        let page = self.get(viewer, path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
        let items = page.body["items"].as_array().unwrap().clone();
        assert!(items.len() <= limit, "{path}");
        let cursor = |name: &str| page.body[name].as_str().map(str::to_owned);
        let (next, back) = (cursor("next_cursor"), cursor("prev_cursor"));
        let link = page.headers["link"].to_str().unwrap();
        let target = |cursor: &Option<String>| {
            let cursor = cursor.as_ref().map(|cursor| format!("&cursor={cursor}"));
            format!("<{list}?limit={limit}{}>", cursor.unwrap_or_default())
        };
        let prev = link
            .contains("rel=\"prev\"")
            .then(|| back.clone())
            .flatten();
        let mut links = vec![format!("{}; rel=\"first\"", target(&None))];
        for (rel, cursor) in [("next", &next), ("prev", &prev)] {
            links.extend(
                cursor
                    .is_some()
                    .then(|| format!("{}; rel=\"{rel}\"", target(cursor))),
            );
        }
        assert_eq!(link, links.join(", "), "{path}");
        Page {
            items,
            next,
            prev,
            back,
        }
    }

    pub async fn run(&self, statement: &str) {
        self.pool
            .execute(AssertSqlSafe(statement.to_owned()))
            .await
            .unwrap();
    }

    /// An account `user<n>`, "User n".
    pub async fn account(&self, n: u64) -> Uuid {
        let account = account_id(n);
        sqlx::query("INSERT INTO accounts VALUES ($1, $2, $3, 'about me', $4)")
            .bind(account)
            .bind(format!("user{n}"))
            .bind(format!("User {n}"))
            .bind(time(id::millis(account)))
            .execute(&self.pool)
            .await
            .unwrap();
        account
    }

    /// A post by `author`, `at` milliseconds after the start.
    /// The bytes of whole answers in the cache.
    pub fn cached_bytes(&self) -> u64 {
        let [(name, size), ..] = self.state.caches.sizes();
        assert_eq!(name, "answers");
        size.bytes
    }

    pub async fn post(&self, author: Uuid, at: i64, reply_to: Option<Uuid>) -> Uuid {
        let partition = Partition::of(author);
        let post = id::compose(START + at, 0, rand::random(), Some(partition));
        let sql = "INSERT INTO posts (id, author, reply_to, text, created_at, root, root_author)
            SELECT $1, $2, $3, $4, $5, coalesce(parent.root, $3, $1), coalesce(parent.root_author, $2)
            FROM (SELECT) AS one LEFT JOIN posts AS parent ON parent.id = $3";
        sqlx::query(sql)
            .bind(post)
            .bind(author)
            .bind(reply_to)
            .bind(format!("at {at}"))
            .bind(time(START + at))
            .execute(&self.pool)
            .await
            .unwrap();
        post
    }

    pub async fn counts(&self, post: Uuid, likes: i64, replies: i64) {
        self.run(&format!(
            "UPDATE posts SET like_count = {likes}, reply_count = {replies} WHERE id = '{post}'"
        ))
        .await;
    }

    /// Inserts into the tables of both projections that have follows.
    pub async fn follow(&self, follower: Uuid, followee: Uuid, at: i64) {
        self.run(&format!(
            "INSERT INTO feed_follows VALUES ('{followee}', '{follower}')"
        ))
        .await;
        sqlx::query("INSERT INTO follows VALUES ($1, $2, $3)")
            .bind(followee)
            .bind(follower)
            .bind(time(START + at))
            .execute(&self.pool)
            .await
            .unwrap();
        self.run(&format!(
            "INSERT INTO account_counts AS c VALUES ('{followee}', 1, 0), ('{follower}', 0, 1)
             ON CONFLICT (account) DO UPDATE SET
                followers = c.followers + excluded.followers, following = c.following + excluded.following"
        ))
        .await;
    }

    /// Entries of these posts, as the projector makes them.
    pub async fn entries(&self, viewer: Uuid, posts: &[Uuid]) {
        let sql = "INSERT INTO feed_entries (viewer, post_id, shared_with)
            SELECT $1, id, CASE author WHEN $1 THEN $1 ELSE shared_with END FROM posts WHERE id = ANY($2)";
        sqlx::query(sql)
            .bind(viewer)
            .bind(posts)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    pub async fn floor(&self, viewer: Uuid, floor: Uuid) {
        self.run(&format!(
            "INSERT INTO feed_floors VALUES ('{viewer}', '{floor}')"
        ))
        .await;
    }

    pub async fn checkpoint(&self, projection: &str, generation: i32, partition: u8, seq: i64) {
        self.run(&format!(
            "INSERT INTO projections VALUES ('{projection}', {generation}) ON CONFLICT DO NOTHING; \
             INSERT INTO checkpoints VALUES ('{projection}', {generation}, {partition}, {seq}) \
             ON CONFLICT (projection, generation, partition) DO UPDATE SET seq = excluded.seq"
        ))
        .await;
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.shutdown.now();
    }
}

pub fn account_id(n: u64) -> Uuid {
    id::compose(
        START - 1_000_000 + i64::try_from(n).unwrap(),
        0,
        n << 8,
        None,
    )
}

pub fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap()
}

/// The ids of a list's items.
pub fn ids(items: &[Value]) -> Vec<Uuid> {
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().parse().unwrap())
        .collect()
}

/// A header's value, or if it is a position, as the viewer may send it.
fn seal(viewer: Uuid, value: &str) -> String {
    let positions = value.parse::<Positions>();
    positions.map_or_else(
        |_| value.to_owned(),
        |positions| position_key().seal(viewer, &positions, [1; 8]),
    )
}
