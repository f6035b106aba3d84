//! Quotas of commands.

use feedmill_tests::{
    client::{Answer, PASSWORD},
    link::LinkKind,
};
use reqwest::Method;
use serde_json::json;

use crate::harness::Api;

async fn start(quotas: &str) -> Api {
    let proxies = ["--trusted-proxies", "127.0.0.0/8"];
    Api::start_with(&[&proxies[..], &["--quotas", quotas]].concat()).await
}

fn limits(answer: &Answer) -> [Option<&str>; 2] {
    ["ratelimit", "ratelimit-policy"].map(|name| answer.header(name))
}

#[tokio::test]
async fn a_quota_is_of_an_account_and_a_kind_of_command() {
    let api = start("posts=3/1h").await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let first = miller.post("flour", None).await.expect(201);
    let policy = Some("\"posts\";q=3;w=3600");
    assert_eq!(limits(&first), [Some("\"posts\";r=2;t=1200"), policy]);
    let post = first.id();
    miller.post("a reply", Some(post)).await.expect(201);
    // What fails is not counted.
    miller.post("", None).await.expect(422);
    let nothing = miller.post("a reply", Some(baker.id)).await;
    assert_eq!(limits(&nothing.expect(404)), [None, None]);
    miller.post("bread", None).await.expect(201);

    let refused = miller.post("too much", None).await;
    let refused = refused.expect_problem(429, "quota_exceeded");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1_100..=1_200).contains(&wait), "{wait}");
    assert!(
        refused
            .header("ratelimit")
            .unwrap()
            .starts_with("\"posts\";r=0;t=")
    );
    assert_eq!(refused.header("ratelimit-policy"), policy);
    // Other commands, what undoes, and other accounts are not concerned.
    miller.link(LinkKind::Like, post, true).await.expect(204);
    let undone = miller.link(LinkKind::Like, post, false).await.expect(204);
    assert_eq!(limits(&undone), [None, None]);
    miller.delete_post(post).await.expect(204);
    baker.post("rolls", None).await.expect(201);
}

#[tokio::test]
async fn a_repeated_command_is_counted_once() {
    let api = start("posts=2/1h").await;
    let miller = api.person("miller").await;
    let post = async |key: &str| {
        let request = miller.request(Method::POST, "/v1/posts");
        let request = request.header("Idempotency-Key", key);
        miller.send(request.json(&json!({ "text": "flour" }))).await
    };
    let first = post("a").await.expect(201);
    for _ in 0..3 {
        let again = post("a").await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.body, first.body);
    }
    post("b").await.expect(201);
    post("c").await.expect_problem(429, "quota_exceeded");
}

#[tokio::test]
async fn concurrent_commands_share_a_quota() {
    let api = start("posts=5/1h").await;
    let miller = api.person("miller").await;
    let posts = (0..20).map(|_| miller.post("flour", None));
    let answers = futures::future::join_all(posts).await;
    let created = answers.iter().filter(|answer| answer.status == 201);
    assert_eq!(created.count(), 5);
}

#[tokio::test]
async fn signing_up_and_in_have_quotas_of_the_address() {
    let api = start("sign_ups=1/1h,sign_ins=1/1h,refreshes=1/1h").await;
    let client = api.client();
    let send = async |address: &str, path: &str, body| {
        let request = client.request(Method::POST, path);
        let request = request.header("X-Forwarded-For", address).json(&body);
        client.send(request).await
    };
    let sign_up =
        |handle: &str| json!({ "handle": handle, "display_name": "M", "password": PASSWORD });
    let (one, other) = ("192.0.2.1", "192.0.2.2");
    let created = send(one, "/v1/accounts", sign_up("miller"))
        .await
        .expect(201);
    assert_eq!(
        created.header("ratelimit-policy"),
        Some("\"sign_ups\";q=1;w=3600")
    );
    let refused = send(one, "/v1/accounts", sign_up("baker")).await;
    refused.expect_problem(429, "quota_exceeded");
    send(other, "/v1/accounts", sign_up("baker"))
        .await
        .expect(201);

    let wrong = json!({ "handle": "miller", "password": "a wrong password" });
    send(one, "/v1/sessions", wrong).await.expect(401);
    let sign_in = json!({ "handle": "miller", "password": PASSWORD });
    let opened = send(one, "/v1/sessions", sign_in.clone()).await.expect(201);
    let refused = send(one, "/v1/sessions", sign_in.clone()).await;
    refused.expect_problem(429, "quota_exceeded");
    send(other, "/v1/sessions", sign_in.clone())
        .await
        .expect(201);
    // A device that has signed in before has its own.
    let mut known = sign_in;
    known["device_token"] = opened.json()["device_token"].clone();
    send(one, "/v1/sessions", known).await.expect(201);

    let refresh = |opened: &Answer| json!({ "refresh_token": opened.json()["refresh_token"] });
    let next = send(one, "/v1/sessions/refresh", refresh(&opened))
        .await
        .expect(201);
    let refused = send(one, "/v1/sessions/refresh", refresh(&next)).await;
    refused.expect_problem(429, "quota_exceeded");
}

#[tokio::test]
async fn quotas_can_be_turned_off() {
    let api = start("off").await;
    let miller = api.person("miller").await;
    let post = miller.post("flour", None).await.expect(201);
    assert_eq!(limits(&post), [None, None]);
}
