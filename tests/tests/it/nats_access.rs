//! Who may do what on NATS: nobody without credentials anything, and each service what it needs. And TLS to the servers.

use std::time::Duration;

use async_nats::{Client, jetstream};
use feedmill_events::subject;
use feedmill_tests::kit::{
    Certificates, Role, Stack, StackConfig, connect_nats, run, service, wait_until,
};
use futures::StreamExt;
use reqwest::Method;
use tokio::time::timeout;

/// Longer than NATS takes to deliver a message.
const SOON: Duration = Duration::from_millis(100);

async fn author(stack: &Stack) -> feedmill_tests::client::Client {
    let created = stack.client().create_account("author", "Author").await;
    stack.client_of(created.expect(201).id())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_connects_without_credentials() {
    let stack = Stack::start(StackConfig::default()).await;
    let url = stack.nats.url();
    let wrong = url.replace("nats://", "nats://feedmill_write:wrong@");
    for url in [url, wrong] {
        let connected = connect_nats(&url).await;
        assert!(connected.is_err(), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_receives_only_what_it_needs() {
    let stack = Stack::start(StackConfig::default()).await;
    let operator = connect_nats(&stack.nats.operator_url()).await.unwrap();
    let subjects = [
        "feedmill.events.1",
        "feedmill.log.appended",
        "feedmill.projected.feed",
        "feedmill.projectors",
        "feedmill.sessions.ended",
        "feedmill.cache",
        "_INBOX_write-api.1",
        "_INBOX_projector.1",
        "_INBOX_read-api.1",
        "_INBOX.1",
        "$JS.API.STREAM.INFO.EVENTS",
    ];
    let expected = [
        ("write-api", "feedmill.log.appended"),
        ("write-api", "feedmill.sessions.ended"),
        ("write-api", "_INBOX_write-api.1"),
        ("projector", "feedmill.projectors"),
        ("projector", "feedmill.cache"),
        ("projector", "_INBOX_projector.1"),
        ("read-api", "feedmill.projected.feed"),
        ("read-api", "feedmill.sessions.ended"),
        ("read-api", "feedmill.cache"),
        ("read-api", "_INBOX_read-api.1"),
    ];
    let mut received = Vec::new();
    for role in [Role::WriteApi, Role::Projector, Role::ReadApi] {
        let client = connect_nats(&stack.nats.url_as(role)).await.unwrap();
        for subject in subjects {
            let mut subscriber = client.subscribe(subject).await.unwrap();
            client.flush().await.unwrap();
            // Again and again: nothing tells when the server has the subscription.
            let is_expected = expected.contains(&(role.service(), subject));
            for _ in 0..if is_expected { 100 } else { 3 } {
                operator.publish(subject, "".into()).await.unwrap();
                operator.flush().await.unwrap();
                if let Ok(Some(_)) = timeout(SOON, subscriber.next()).await {
                    received.push((role.service(), subject));
                    break;
                }
            }
        }
    }
    assert_eq!(received, expected);
}

/// Without what it needs a service would only be slower.
#[tokio::test(flavor = "multi_thread")]
async fn no_service_lacks_a_permission() {
    let stack = Stack::start(StackConfig::default()).await;
    let author = author(&stack).await;
    let session = author.sign_in("author").await.expect(201).json();
    let token = session["access_token"].as_str().expect("a token");
    for n in 0..20 {
        author.post(&format!("post {n}"), None).await.expect(201);
        author.get("/v1/feed").await.expect(200);
    }
    let signed_in = author.with_token(token);
    let ended = signed_in.command(Method::DELETE, "/v1/sessions/current", None);
    ended.await.expect(204);
    let metrics = stack.projectors[0].metrics().await;
    let from_stream: f64 = metrics
        .lines()
        .filter(|line| {
            line.starts_with("projector_events_total") && line.contains("source=\"stream\"")
        })
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert!(
        from_stream > 20.0,
        "the projector reads from the log: {metrics}"
    );
    for service in stack.services() {
        let log = service.log();
        assert!(
            !log.contains("Permissions Violation"),
            "{}: {log}",
            service.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_relay_changes_the_stream() {
    let stack = Stack::start(StackConfig::default()).await;
    let author = author(&stack).await;
    author.post("in the stream", None).await.expect(201);
    let operator = connect_nats(&stack.nats.operator_url()).await.unwrap();
    let state = async || {
        let stream = jetstream::new(operator.clone())
            .get_stream(subject::STREAM)
            .await;
        stream.map_or((0, 0), |stream| {
            let state = &stream.cached_info().state;
            (state.first_sequence, state.last_sequence)
        })
    };
    wait_until("the stream has two events", async || {
        state().await == (1, 2)
    })
    .await;
    for role in [Role::Projector, Role::ReadApi] {
        let client = connect_nats(&stack.nats.url_as(role)).await.unwrap();
        try_to_change(client, role.service()).await;
    }
    tokio::time::sleep(SOON).await;
    assert_eq!(state().await, (1, 2));
    let relay = connect_nats(&stack.nats.url_as(Role::WriteApi)).await;
    try_to_change(relay.unwrap(), Role::WriteApi.service()).await;
    wait_until(
        "the first event is gone, and another is there",
        async || {
            let (first, last) = state().await;
            first > 1 && last > 2
        },
    )
    .await;
}

/// Deletes a message of the stream, and publishes one.
async fn try_to_change(client: Client, service: &str) {
    let reply = format!("{}.reply", subject::inbox_prefix(service));
    let delete = format!("$JS.API.STREAM.MSG.DELETE.{}", subject::STREAM);
    let deleted = client.publish_with_reply(delete, reply, r#"{"seq": 1}"#.into());
    deleted.await.expect("a connection");
    client
        .publish("feedmill.events.1", "forged".into())
        .await
        .expect("a connection");
    client.flush().await.expect("a connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_connections_to_servers_can_be_encrypted() {
    let config = StackConfig {
        tls: true,
        ..StackConfig::default()
    };
    let stack = Stack::start(config).await;
    let author = author(&stack).await;
    let post = author.post("over TLS", None).await.expect(201).id();
    let feed = author.get("/v1/feed").await.expect(200).json();
    assert_eq!(feed["items"][0]["id"], post.to_string());
    let services: (i64, bool) = sqlx::query_as(
        "SELECT count(DISTINCT usename), bool_and(ssl)
         FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename LIKE 'feedmill\\_%'",
    )
    .fetch_one(&stack.pool)
    .await
    .unwrap();
    assert_eq!(services, (3, true));

    // Another authority: neither server is trusted.
    let other = Certificates::create(&stack.file("other")).ca;
    let other = other.display().to_string();
    let mut environment = stack.target.environment.clone();
    let status = |environment: &[(String, String)]| {
        let projector = service("projector");
        run(&projector, &["status"], environment)
    };
    let good = status(&environment);
    let text = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(
        good.status.success() && text.contains("up to date with the log"),
        "{good:?}"
    );
    environment.push(("NATS_CA_FILE".to_owned(), other.clone()));
    let text = String::from_utf8_lossy(&status(&environment).stdout).into_owned();
    assert!(text.contains("cannot connect to NATS"), "{text}");
    for (name, value) in &mut environment {
        if name == "PROJECTOR_DATABASE_URL" {
            let (url, _) = value.split_once("sslrootcert=").unwrap();
            *value = format!("{url}sslrootcert={other}");
        }
    }
    let refused = status(&environment);
    assert!(!refused.status.success(), "{refused:?}");
}
