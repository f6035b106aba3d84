//! Authors who post all the time. Each command is repeated with its key until it has a definite answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use feedmill_tests::{
    client::{Client, http},
    kit::Target,
};
use reqwest::Method;
use serde_json::json;
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{sleep, timeout},
};
use uuid::Uuid;

/// No fault of these tests lasts longer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

#[derive(Default)]
struct Counts {
    stopping: AtomicBool,
    accepted: AtomicUsize,
    refused: AtomicUsize,
}

pub struct Writers {
    /// Follows all authors.
    pub follower: Uuid,
    authors: Vec<Uuid>,
    counts: Arc<Counts>,
    tasks: JoinSet<Vec<Uuid>>,
    /// Posts by the test itself.
    own: Mutex<Vec<Uuid>>,
}

impl Writers {
    pub async fn start(target: &Target, count: usize) -> Self {
        let base = target.client();
        let account = async |name: String| base.create_account(&name, &name).await.expect(201).id();
        let follower = account("follower".to_owned()).await;
        let mut writers = Self {
            follower,
            authors: Vec::new(),
            counts: Arc::default(),
            tasks: JoinSet::new(),
            own: Mutex::default(),
        };
        for index in 0..count {
            let author = account(format!("author_{index}")).await;
            let following = target.client_of(follower);
            following.follow(author).await.expect(204);
            writers.authors.push(author);
            let client = target
                .client_at(index)
                .with_token(&target.signer.token(author));
            let counts = Arc::clone(&writers.counts);
            writers.tasks.spawn(async move {
                let mut posts = Vec::new();
                while !counts.stopping.load(Ordering::Relaxed) {
                    posts.push(post(&client, &counts).await);
                    sleep(Duration::from_millis(300)).await;
                }
                posts
            });
        }
        writers
    }

    pub fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    /// Attempts that were answered with 503.
    pub fn refused(&self) -> usize {
        self.counts.refused.load(Ordering::Relaxed)
    }

    /// Stops the authors; returns every acknowledged post.
    pub async fn stop(self) -> Vec<Uuid> {
        self.counts.stopping.store(true, Ordering::Relaxed);
        let mut all = self.tasks.join_all().await.concat();
        all.extend(self.own.into_inner());
        all
    }

    /// How long a new post takes from its acknowledgement to the follower's feed, by reads without a position.
    pub async fn post_reaches_the_feed(&self, target: &Target) -> Duration {
        self.reaches_the_feed(target, self.authors[0]).await
    }

    /// The same for one post by every author, in different partitions; returns the longest time.
    pub async fn posts_of_all_reach_the_feed(&self, target: &Target) -> Duration {
        let all = self.authors.iter();
        let all = all.map(|author| self.reaches_the_feed(target, *author));
        let took = futures::future::join_all(all).await;
        took.into_iter().max().unwrap_or_default()
    }

    async fn reaches_the_feed(&self, target: &Target, author: Uuid) -> Duration {
        let id = post(&target.client_of(author), &self.counts).await;
        self.own.lock().await.push(id);
        let start = Instant::now();
        let reader = target.client_of(self.follower);
        let is_there = async {
            loop {
                let request = http().get(format!("{}/v1/feed?limit=100", reader.read));
                let answer = reader.try_send(reader.signed(request)).await;
                let there = answer.is_ok_and(|answer| answer.body.contains(&id.to_string()));
                if there {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(ANSWER_TIMEOUT, is_there)
            .await
            .unwrap_or_else(|_| panic!("post {id} is not in the feed after {ANSWER_TIMEOUT:?}"));
        start.elapsed()
    }
}

async fn post(client: &Client, counts: &Counts) -> Uuid {
    let key = Uuid::from_u128(rand::random()).to_string();
    let start = Instant::now();
    loop {
        let request = client
            .request(Method::POST, "/v1/posts")
            .header("Idempotency-Key", &key)
            .timeout(Duration::from_secs(5))
            .json(&json!({"text": key}));
        match client.try_send(request).await {
            Ok(answer) if answer.status == 503 => {
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
                counts.refused.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => {
                counts.accepted.fetch_add(1, Ordering::Relaxed);
                return answer.expect(201).id();
            }
            Err(_) => {}
        }
        assert!(
            start.elapsed() < ANSWER_TIMEOUT,
            "no answer after {ANSWER_TIMEOUT:?}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}
