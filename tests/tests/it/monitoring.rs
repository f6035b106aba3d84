//! The alerts and dashboards of `deploy/monitoring/`, with a real Prometheus.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use feedmill_events::{Announcement, Changed, Partition, Projection, subject};
use feedmill_tests::{
    client::{Answer, Client},
    kit::{
        Certificates, Prometheus, Stack, StackConfig, connect_nats, promtool, wait_until,
        wait_until_within,
    },
    log::{self, Raw},
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Executor;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/monitoring")
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).expect(file)
}

/// The values of `name: ` in a file of rules or of their tests, in order.
fn values<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("- "));
    lines
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .collect()
}

/// The rules for a test: alerts wait a second instead of minutes, rates are of some seconds, a lag of two seconds is long, and two reads a
/// second are many.
fn quick_rules() -> String {
    let rules = read("alerts.yml");
    let lines = rules.lines().map(|line| {
        let indent = line.len() - line.trim_start().len();
        if line.trim().starts_with("for: ") {
            return format!("{}for: 1s", &line[..indent]);
        }
        let line = line.replace("[5m]", "[15s]").replace("[15m]", "[3m]");
        line.replace("_lag_seconds) > 30", "_lag_seconds) > 2")
            .replace(
                r#"{cache="answers"}[15s])) > 10"#,
                r#"{cache="answers"}[15s])) > 2"#,
            )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_rules_and_the_configuration_are_valid_and_every_alert_is_tested() {
    for arguments in [
        &["check", "rules", "alerts.yml"][..],
        &["check", "config", "prometheus.yml"],
        &["test", "rules", "alerts.test.yml"],
    ] {
        let output = promtool(arguments);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}");
    }
    let (rules, tests) = (read("alerts.yml"), read("alerts.test.yml"));
    let operations = fs::read_to_string(folder().join("../../docs/operations.md")).unwrap();
    let alerts = values(&rules, "alert");
    assert!(alerts.len() > 15);
    let links = values(&rules, "runbook_url");
    assert_eq!(links.len(), alerts.len());
    for (alert, link) in alerts.iter().zip(links) {
        assert_eq!(link, format!("docs/operations.md#{}", alert.to_lowercase()));
        assert!(
            operations.contains(&format!("\n### {alert}\n")),
            "{alert} has no paragraph"
        );
        // Once with the alert, and once without.
        let cases: Vec<&str> = tests
            .split(&format!("alertname: {alert}\n"))
            .skip(1)
            .collect();
        let is_quiet = |case: &&str| case.trim_start().starts_with("exp_alerts: []");
        assert_eq!(
            cases.iter().filter(|case| is_quiet(case)).count(),
            1,
            "{alert} does not fire"
        );
        assert_eq!(
            cases.iter().filter(|case| !is_quiet(case)).count(),
            1,
            "{alert} fires"
        );
    }
}

/// Some of everything that is measured, for ever.
async fn activity(stack: &Stack) {
    let ((bob_id, bob), (alice_id, alice)) =
        (stack.person("bob").await, stack.person("alice").await);
    let mut stream = alice.stream(None).await.expect("a stream");
    for n in 0.. {
        bob.connection(alice_id, true).await.expect(200);
        alice.wait_for(&bob.positions());
        alice.connection(bob_id, true).await.expect(200);
        let post = bob.post(&format!("post {n}"), None).await.expect(201).id();
        alice.wait_for(&bob.positions());
        for path in [
            "/v1/feed",
            "/v1/feed",
            "/v1/feed?limit=3",
            "/v1/digest?period=day",
            "/v1/counts",
            "/v1/me",
        ] {
            alice.get(path).await.expect(200);
        }
        stream.next().await;
        bob.delete_post(post).await.expect(204);
        bob.connection(alice_id, false).await.expect(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_of_every_dashboard_has_data() {
    let stack = Stack::start(StackConfig::default()).await;
    let prometheus = Prometheus::start(&stack, &quick_rules()).await;
    // A rate needs a value from before the activity.
    wait_until("all services are scraped", async || {
        prometheus.query("sum(up)").await == Ok(vec![3.0])
    })
    .await;
    let mut panels = 0;
    let mut queries = Vec::new();
    for file in fs::read_dir(folder().join("dashboards")).unwrap() {
        let path = file.unwrap().path();
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().expect("panels") {
            panels += 1;
            for target in panel["targets"].as_array().expect("targets") {
                let query = target["expr"]
                    .as_str()
                    .expect("a query")
                    .replace("$__rate_interval", "30s");
                queries.push((format!("{}: {}", dashboard["title"], panel["title"]), query));
            }
        }
    }
    assert!(panels >= 50, "{panels} panels");
    let (mut without, mut missing) = (Vec::new(), usize::MAX);
    let have_data = wait_until_within("every query has data", Duration::from_mins(2), async || {
        without.clear();
        for (panel, query) in &queries {
            match prometheus.query(query).await {
                Ok(values) if values.iter().any(|value| value.is_finite()) => {}
                Ok(_) => without.push(format!("{panel}: {query}")),
                Err(error) => panic!("{panel}: {query}: {error}"),
            }
        }
        if without.len() != missing {
            missing = without.len();
            println!("without data: {without:#?}");
        }
        without.is_empty()
    });
    tokio::select! {
        () = activity(&stack) => {}
        _ = have_data => {}
    }
    let names = [
        "feed_requests_total",
        "users_total",
        "job:http_requests:rate5m",
    ];
    for name in names {
        assert!(!prometheus.query(name).await.unwrap().is_empty(), "{name}");
    }
}

/// A running stack with its alerts.
struct Watched {
    stack: Stack,
    prometheus: Prometheus,
}

impl Watched {
    async fn start(config: StackConfig) -> Self {
        let stack = Stack::start(config).await;
        let prometheus = Prometheus::start(&stack, &quick_rules()).await;
        wait_until("all services are scraped", async || {
            let up = prometheus.query("min(up)").await;
            up == Ok(vec![1.0])
        })
        .await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        let watched = Self { stack, prometheus };
        // Nothing is wrong with it, but that it has no backup, and that it was slow at first on a machine that has other work.
        watched
            .fires_only(&["BackupMissing", "WalNotArchived"])
            .await;
        watched.operate("write-api", &["backup-finished"]);
        watched.fires_only(&["WalNotArchived"]).await;
        watched
    }

    /// Waits until each of these alerts has fired.
    async fn fires(&self, alerts: &[&str]) {
        let mut fired = BTreeSet::new();
        wait_until_within(
            &format!("{alerts:?} fire"),
            Duration::from_mins(2),
            async || {
                for alert in self.prometheus.firing().await {
                    if !fired.contains(&alert) {
                        println!("{alert} fires");
                        fired.insert(alert);
                    }
                }
                alerts.iter().all(|alert| fired.contains(*alert))
            },
        )
        .await;
    }

    /// Waits until these alerts fire, and no others.
    async fn fires_only(&self, alerts: &[&str]) {
        let mut before = BTreeSet::new();
        wait_until(&format!("only {alerts:?} fire"), async || {
            let firing: BTreeSet<String> = self.prometheus.firing().await.into_iter().collect();
            let equal = firing.iter().eq(alerts);
            if firing != before {
                println!("firing: {firing:?}");
                before = firing;
            }
            equal
        })
        .await;
    }

    fn operate(&self, service: &str, arguments: &[&str]) {
        assert!(self.stack.run(service, arguments).status.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_about_projections_and_nats_fire() {
    let mut watched = Watched::start(StackConfig::default()).await;
    let (_, alice) = watched.stack.person("alice").await;

    // Somebody else publishes.
    let operator = connect_nats(&watched.stack.nats.operator_url())
        .await
        .unwrap();
    let forged = Announcement {
        projection: Projection::Feed,
        generation: 1,
        progress: vec![],
        changed: Changed::All,
    };
    let subject = subject::announcements(Projection::Feed);
    operator
        .publish(subject, forged.encode().unwrap().into())
        .await
        .unwrap();
    operator.flush().await.unwrap();
    watched.fires(&["ForeignMessages"]).await;

    watched.operate("projector", &["pause", "digest"]);
    watched.fires(&["ProjectionPaused"]).await;
    alice
        .post("one that the digest waits for", None)
        .await
        .expect(201);
    watched.fires(&["ProjectionBehind"]).await;

    // An event that cannot be applied.
    let unreadable = || Raw {
        partition: Partition::all().next().unwrap(),
        event_type: "post.created",
        at: 0,
        body: b"unreadable".to_vec(),
    };
    log::append(&watched.stack.pool, &[unreadable()])
        .await
        .unwrap();
    watched.fires(&["PartitionBlocked"]).await;

    // The relay's leader does not move, and keeps its lock.
    assert!(watched.stack.write[0].signal("STOP"));
    log::append(&watched.stack.pool, &[unreadable()])
        .await
        .unwrap();
    watched.fires(&["RelayStalled"]).await;
    assert!(watched.stack.write[0].signal("CONT"));

    // Commands go on without NATS.
    watched.stack.nats.process.kill();
    alice.post("not in the stream", None).await.expect(201);
    watched.fires(&["NatsDisconnected"]).await;

    // The only projector left runs one projection.
    let mut projector = watched.stack.projectors.remove(0);
    projector.kill();
    watched.fires(&["InstanceDown"]).await;
    let mut projector = projector.arguments(&["--only", "feed"]);
    projector.launch();
    watched.stack.projectors.push(projector);
    watched.fires(&["ProjectionWithoutInstance"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_about_requests_and_the_database_fire() {
    let mut watched = Watched::start(StackConfig {
        faults: true,
        environment: vec![("READ_DATABASE_CONNECTIONS".to_owned(), "2".to_owned())],
        ..StackConfig::default()
    })
    .await;
    let (_, alice) = watched.stack.person("alice").await;
    let post = alice.post("one", None).await.expect(201).id();
    alice.get("/v1/feed").await.expect(200);

    // A used refresh token comes again and again.
    for _ in 0..7 {
        let first = alice.sign_in("alice").await.expect(201);
        let second = refresh(&alice, &first).await.expect(201);
        refresh(&alice, &second).await.expect(201);
        refresh(&alice, &first).await.expect(401);
    }
    watched.fires(&["TokensStolen"]).await;

    // Nothing comes from memory: each request is for another page.
    let missing = async {
        for n in 0.. {
            alice
                .get(&format!("/v1/posts/{post}/replies?limit={}", 1 + n % 100))
                .await
                .expect(200);
            alice.get(&format!("/v1/users/{post}")).await.expect(404);
        }
    };
    tokio::select! {
        () = missing => {}
        () = watched.fires(&["CacheMisses"]) => {}
    }

    // A rate needs a value from before.
    for limit in 1..4 {
        alice
            .get(&format!("/v1/feed?limit={limit}"))
            .await
            .expect(200);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;

    // A table that nobody may read for a while, by more requests than there are connections.
    let mut tx = watched.stack.pool.begin().await.unwrap();
    tx.execute("LOCK TABLE feed.posts, feed.feed_entries IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let waiting = join_all((0..8).map(async |n| {
        loop {
            let page = alice.read_request(&format!("/v1/feed?limit={}", 10 + n));
            let _ = alice.try_send(page).await;
        }
    }));
    let alerts = [
        "PoolExhausted",
        "ManyErrors",
        "SlowRequests",
        "SlowStatements",
    ];
    tokio::select! {
        _ = waiting => {}
        () = watched.fires(&alerts) => {}
    }
    tx.rollback().await.unwrap();

    watched.stack.postgres().kill();
    let failing = async {
        loop {
            let _ = alice
                .try_send(alice.read_request(&format!("/v1/posts/{post}")))
                .await;
            let text = json!({"text": "lost"});
            let _ = alice
                .try_send(alice.request(Method::POST, "/v1/posts").json(&text))
                .await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let alerts = [
        "InstanceNotReady",
        "ManyErrors",
        "CommandsFail",
        "RelayWithoutLeader",
    ];
    tokio::select! {
        () = failing => {}
        () = watched.fires(&alerts) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_about_limits_fire() {
    let mut watched = Watched::start(StackConfig {
        nats: "jetstream { max_file_store: 64K }".to_owned(),
        ..StackConfig::default()
    })
    .await;
    let (_, alice) = watched.stack.person("alice").await;
    let text = "x".repeat(2_000);
    for _ in 0..50 {
        alice.post(&text, None).await.expect(201);
    }
    watched.fires(&["StreamFull"]).await;
    alice.get("/v1/me/posts").await.expect(200);

    let folder = watched.stack.file("tls");
    let certificates = Certificates::create_expiring(&folder, Duration::from_hours(5 * 24));
    let projector = &mut watched.stack.projectors[0];
    projector.set("TLS_CERT", &certificates.certificate.display().to_string());
    projector.set("TLS_KEY", &certificates.key.display().to_string());
    projector.restart().await;
    watched.fires(&["CertificateExpires"]).await;
}

async fn refresh(client: &Client, session: &Answer) -> Answer {
    let token = json!({"refresh_token": session.json()["refresh_token"]});
    client
        .command(Method::POST, "/v1/sessions/refresh", Some(token))
        .await
}

/// The alerts whose cause no test above makes, and why.
const NOT_CAUSED: [(&str, &str); 3] = [
    (
        "LeaseLapsed",
        "takes three lapses of a lease, and is tested with the projector",
    ),
    (
        "StatementsFail",
        "a database that is gone refuses connections and not statements",
    ),
    ("StreamForked", "the relay removes a fork before it is seen"),
];

#[test]
fn every_alert_is_caused_or_says_why_not() {
    let source = include_str!("monitoring.rs");
    let rules = read("alerts.yml");
    let mut counts = BTreeMap::new();
    for alert in values(&rules, "alert") {
        counts.insert(alert, source.matches(&format!("\"{alert}\"")).count());
    }
    let missing: Vec<_> = counts.iter().filter(|(_, count)| **count == 0).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (alert, _) in NOT_CAUSED {
        assert_eq!(
            counts.get(alert),
            Some(&1),
            "{alert} is caused after all, or is no alert"
        );
    }
}
