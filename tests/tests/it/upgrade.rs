//! Two versions side by side: instances are replaced one after the other, under load, forth and back.
//!
//! The other version is that of the binaries in `PREVIOUS_BIN_DIR` (`deploy/test --upgrade COMMIT` builds them). Without it, both versions
//! are the present one.

use std::{path::Path, sync::Arc, time::Duration};

use feedmill_tests::{
    client::Client,
    jetstream,
    kit::{Process, Stack, StackConfig, service, setting, wait_until, wait_until_within},
    log,
};
use reqwest::Method;
use serde_json::json;
use tokio::{sync::Mutex, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const WORKERS: usize = 4;

/// Sends one request after the other on kept connections, to one of two instances until that asks for its connection to be closed. Each
/// must succeed. Commands are posts, whose ids are collected; each read waits until it has this client's last post.
async fn load(
    client: Client,
    is_writer: bool,
    posts: Arc<Mutex<Vec<Uuid>>>,
    instances: [String; 2],
    stop: CancellationToken,
) -> usize {
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let (mut instance, mut answers) = (0, 0);
    while !stop.is_cancelled() {
        let url = &instances[instance];
        let request = if is_writer {
            let text = json!({"text": "one of many"});
            client
                .signed(http.request(Method::POST, format!("{url}/v1/posts")))
                .json(&text)
        } else {
            let path = [
                "/v1/feed",
                "/v1/me/posts",
                "/v1/digest?period=day",
                "/v1/counts",
            ][answers % 4];
            client.signed(http.get(format!("{url}{path}")))
        };
        let answer = request.send().await;
        let answer =
            answer.unwrap_or_else(|error| panic!("after {answers} answers of {url}: {error:?}"));
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.text().await.expect("a whole body");
        assert!(
            status.is_success(),
            "after {answers} answers of {url}: {status} {body}"
        );
        answers += 1;
        if is_writer {
            let post: serde_json::Value = serde_json::from_str(&body).expect("a post");
            let id = post["id"].as_str().expect("an id");
            posts.lock().await.push(id.parse().expect("an id"));
        }
        if headers.get("connection").is_some_and(|it| it == "close") {
            instance = 1 - instance;
        }
    }
    answers
}

/// Stops an instance as its supervisor does, and starts this version in its place.
async fn replace(process: &mut Process, program: &Path) {
    assert!(process.signal("TERM"));
    wait_until_within("it ends", Duration::from_mins(1), async || {
        process.ended().is_some()
    })
    .await;
    assert!(
        process.ended().expect("a status").success(),
        "{}",
        process.log_tail()
    );
    process.set_program(program);
    process.launch();
    process.ready().await;
    println!("{} is replaced", process.name);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_side_by_side_fail_no_read_and_lose_no_command() {
    let previous = setting("PREVIOUS_BIN_DIR");
    let program = |name: &str| service(name);
    let previous = |name: &str| {
        previous
            .as_ref()
            .map_or_else(|| service(name), |folder| Path::new(folder).join(name))
    };
    let mut stack = Stack::start(StackConfig {
        write: 2,
        projectors: 2,
        read: 2,
        programs: ["write-api", "projector", "read-api"]
            .map(|name| (name, previous(name)))
            .into(),
        environment: vec![("SHUTDOWN_DRAIN".to_owned(), "1s".to_owned())],
        ..StackConfig::with_default_limits()
    })
    .await;
    let (_, alice) = stack.person("alice").await;
    alice.get("/v1/me").await.expect(200);
    let posts = Arc::new(Mutex::new(Vec::new()));
    let stop = CancellationToken::new();
    let mut workers = JoinSet::new();
    for worker in 0..2 * WORKERS {
        let is_writer = worker % 2 == 0;
        let urls = if is_writer {
            &stack.target.write
        } else {
            &stack.target.read
        };
        let instances = [urls[0].clone(), urls[1].clone()];
        workers.spawn(load(
            alice.clone(),
            is_writer,
            Arc::clone(&posts),
            instances,
            stop.clone(),
        ));
    }

    let migrated = stack.run("write-api", &["migrate"]);
    assert!(migrated.status.success(), "{migrated:?}");
    println!("{}", String::from_utf8_lossy(&migrated.stdout));
    // Readers understand a new event before it is written.
    for process in &mut stack.projectors {
        replace(process, &program("projector")).await;
    }
    for process in &mut stack.read {
        replace(process, &program("read-api")).await;
    }
    for process in &mut stack.write {
        replace(process, &program("write-api")).await;
    }
    let upgraded = posts.lock().await.len();
    // And back, since an upgrade may have to be undone.
    for process in &mut stack.write {
        replace(process, &previous("write-api")).await;
    }
    for process in &mut stack.read {
        replace(process, &previous("read-api")).await;
    }
    for process in &mut stack.projectors {
        replace(process, &previous("projector")).await;
    }
    stop.cancel();
    for answers in workers.join_all().await {
        assert!(answers > 20, "{answers} answers");
    }

    let posts = posts.lock().await;
    println!(
        "{upgraded} posts during the upgrade, {} during the way back",
        posts.len() - upgraded
    );
    log::wait_until_projected(&stack.pool, Duration::from_mins(1))
        .await
        .expect("everything projected");
    let me = alice.get("/v1/me").await.expect(200).json();
    assert_eq!(me["posts_count"], json!(posts.len()));
    for post in posts.iter().step_by(10) {
        alice.get(&format!("/v1/posts/{post}")).await.expect(200);
    }
    log::check_dense(&stack.pool)
        .await
        .expect("a log without gaps");
    wait_until("the stream equals the log", async || {
        jetstream::check(stack.nats_url(), &stack.pool, &[].into())
            .await
            .is_ok()
    })
    .await;
    let verified = stack.run("projector", &["verify", "--all"]);
    assert!(verified.status.success(), "{verified:?}");
}
