//! Stopping an instance under load.

use std::time::Duration;

use feedmill_tests::{
    client::Client,
    kit::{Stack, StackConfig, wait_until},
};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Sends requests one after the other on kept connections, as a load balancer does: to the first instance until that asks for its
/// connection to be closed, then to the second one. Returns the number of answers of each.
async fn balanced(client: [Client; 2], method: Method, stop: CancellationToken) -> [usize; 2] {
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let (mut instance, mut answers) = (0, [0; 2]);
    while !stop.is_cancelled() {
        let to = &client[instance];
        let request = if method == Method::GET {
            to.signed(http.get(format!("{}/v1/me", to.read)))
        } else {
            let text = json!({"text": "one of many"});
            to.signed(http.request(method.clone(), format!("{}/v1/posts", to.write)))
                .json(&text)
        };
        let answer = request.send().await;
        let answer = answer.unwrap_or_else(|error| panic!("after {answers:?} answers: {error:?}"));
        assert!(answer.status().is_success(), "{answer:?}");
        answers[instance] += 1;
        if answer
            .headers()
            .get("connection")
            .is_some_and(|it| it == "close")
        {
            instance = 1;
        }
        answer.bytes().await.expect("a whole body");
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_told_to_stop_loses_no_request() {
    let mut stack = Stack::start(StackConfig {
        read: 2,
        write: 2,
        environment: vec![("SHUTDOWN_DRAIN".to_owned(), "2s".to_owned())],
        ..StackConfig::default()
    })
    .await;
    let (_, alice) = stack.person("alice").await;
    alice.get("/v1/me").await.expect(200);
    let target = &stack.target;
    let instances = [0, 1].map(|n| {
        alice
            .with_read(&target.read[n])
            .with_write(&target.write[n])
    });
    let stop = CancellationToken::new();
    let mut requests = JoinSet::new();
    for n in 0..12 {
        let method = if n % 2 == 0 {
            Method::GET
        } else {
            Method::POST
        };
        requests.spawn(balanced(instances.clone(), method, stop.clone()));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    for services in [&mut stack.read, &mut stack.write] {
        assert!(services[0].is_ready().await);
        assert!(services[0].signal("TERM"));
        wait_until("readiness says so", async || !services[0].is_ready().await).await;
        assert!(services[0].ended().is_none(), "it serves on");
        wait_until("it ends", async || services[0].ended().is_some()).await;
        assert!(services[0].ended().unwrap().success());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.cancel();
    for [before, after] in requests.join_all().await {
        assert!(before > 5 && after > 5, "{before} and {after} answers");
    }
}
