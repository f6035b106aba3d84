//! What pages say and do, compared with the subcommands.

use feedmill_tests::kit::wait_until;
use serde_json::Value;

use super::{ANN, append_unreadable, operate, stack, visitor::Visitor};

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_what_the_subcommands_say() {
    let stack = stack().await;
    let ann = Visitor::signed_in(&stack.projectors[0], ANN).await;
    let ((alice_id, alice), (_, bob)) = (stack.person("alice").await, stack.person("bob").await);
    let post = alice
        .post("a secret for nobody's eyes", None)
        .await
        .expect(201)
        .id();
    bob.post("an answer", Some(post)).await.expect(201);
    bob.like(post).await.expect(204);
    bob.wait_for(&alice.positions());
    bob.get("/v1/feed").await.expect(200);

    // Events, without texts.
    let dump = operate(&stack, &["events", "dump"]);
    let log = ann.page("/console/log").await;
    for line in dump.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let (partition, seq) = (&event["partition"], &event["seq"]);
        assert!(
            log.contains(&format!("/console/log/{partition}/{seq}\"")),
            "{line}"
        );
    }
    assert!(!log.contains("a secret") && !dump.contains("a secret"));
    for filter in [
        format!("thread={post}"),
        "account=@alice".to_owned(),
        format!("account={alice_id}"),
    ] {
        let (name, value) = filter.split_once('=').unwrap();
        let dump = operate(&stack, &["events", "dump", &format!("--{name}"), value]);
        let page = ann.page(&format!("/console/log?{filter}")).await;
        let rows = page.matches("id=\"event-").count();
        assert_eq!(rows, dump.lines().count(), "{filter}");
        assert!(rows > 0);
    }
    let counts = ann.page("/console/log?count=yes").await;
    for line in operate(&stack, &["events", "count"]).lines() {
        let count: Value = serde_json::from_str(line).unwrap();
        let row = format!(
            "<th scope=\"row\">{}</th><td class=\"number\">{}</td>",
            count["type"].as_str().unwrap(),
            count["count"]
        );
        assert!(counts.contains(&row), "{row}");
    }

    // One event, with texts if that is asked for.
    let like = dump
        .lines()
        .find(|line| line.contains("post.created"))
        .unwrap();
    let like: Value = serde_json::from_str(like).unwrap();
    let path = format!("/console/log/{}/{}", like["partition"], like["seq"]);
    let event = ann.page(&path).await;
    assert!(
        event.contains("[hidden: 26 characters]")
            && event.contains("irrelevant")
            && event.contains("applied")
    );
    assert!(event.contains("<strong>posts</strong>") && !event.contains("a secret"));
    let (status, shown) = ann
        .sent(&format!("{path}/texts"), &[("reason", "a report of abuse")])
        .await;
    assert!(
        status == 200 && shown.contains("a secret for nobody"),
        "{shown}"
    );
    let (_, shown) = ann
        .sent(
            "/console/log/texts",
            &[("reason", "more of it"), ("type", "post.created")],
        )
        .await;
    assert!(shown.contains("a secret for nobody"));
    let audit = operate(&stack, &["audit", "--action", "texts"]);
    assert!(
        audit.contains("console:ann  texts") && audit.contains("events: type post.created"),
        "{audit}"
    );
    assert_eq!(audit.lines().count(), 2);

    // The other pages.
    let indexes = ann.page("/console/operations/indexes").await;
    assert!(indexes.contains("feed.posts_of_author") && indexes.contains("write.events"));
    let operations = ann.page("/console/operations").await;
    assert!(
        operations.contains("indexes.list") && operations.contains("GET /console/log"),
        "{operations}"
    );
    let (status, why) = ann
        .sent(
            "/console/explain",
            &[
                ("viewer", "@bob"),
                ("post", &post.to_string()),
                ("reason", "asked"),
            ],
        )
        .await;
    assert!(
        status == 200 && why.contains("The viewer sees the post"),
        "{why}"
    );
    let status = operate(&stack, &["status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    let projections = ann.page("/console/projections").await;
    for projection in status["projections"].as_array().unwrap() {
        let owner = projection["partitions"][0]["owner"].as_str().unwrap();
        assert!(projections.contains(&format!("{owner} (64)")));
    }
    let lag: Value =
        serde_json::from_str(&ann.page("/console/projections/lag.json").await).unwrap();
    assert_eq!(lag["names"].as_array().unwrap().len(), 5);
    assert_eq!(
        lag["events"][0].as_array().unwrap().len(),
        lag["at"].as_array().unwrap().len()
    );
    let page = ann.page("/console/audit").await;
    for line in operate(&stack, &["audit"]).lines() {
        let action = line
            .split("  ")
            .nth(2)
            .unwrap()
            .split([' ', ':'])
            .next()
            .unwrap();
        assert!(page.contains(&format!("<td>{action}</td>")), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_are_cleared_and_events_skipped_from_either_side() {
    let stack = stack().await;
    let ann = Visitor::signed_in(&stack.projectors[0], ANN).await;
    let (_, alice) = stack.person("alice").await;
    for n in 0..2 {
        let (command, by_console) = [("clear", true), ("cleanup", false)][n];
        alice.get("/v1/me").await.expect(200);
        if by_console {
            let sent = ann
                .sent(
                    "/console/operations/cache",
                    &[("command", command), ("reason", "a test")],
                )
                .await;
            assert_eq!(sent.0, 303, "{}", sent.1);
            assert!(
                ann.page("/console/operations")
                    .await
                    .contains("announced to all read-apis")
            );
        } else {
            let done = operate(&stack, &["cache", command, "--by", "bob"]);
            assert!(done.contains("announced to all read-apis"), "{done}");
        }
        let line = format!("command=\"{command}\"");
        wait_until("read-api has heard of it", async || {
            stack.read[0].log().contains(&line)
        })
        .await;
    }
    let log = stack.projectors[0].log();
    assert!(!log.contains("Permissions Violation"), "{log}");

    let (partition, seq) = append_unreadable(&stack).await;
    let skip = format!("/console/projections/digest/skip/{partition}/{seq}");
    wait_until("the event blocks", async || {
        ann.page(&skip).await.contains("Skip the event")
    })
    .await;
    let event = ann.page(&format!("/console/log/{partition}/{seq}")).await;
    assert!(
        event.contains("blocked after") && event.contains("does not decode"),
        "{event}"
    );
    assert_eq!(ann.sent(&skip, &[("reason", "unreadable")]).await.0, 303);
    assert_eq!(ann.sent(&skip, &[("reason", "again")]).await.0, 409);
    let shown = operate(&stack, &["events", "show", &format!("{partition}:{seq}")]);
    assert!(
        shown.contains("skipped by console:ann: unreadable"),
        "{shown}"
    );
    let audit = operate(&stack, &["audit", "--json"]);
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let actions: Vec<_> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["by"].as_str().unwrap(), it["action"].as_str().unwrap()))
        .collect();
    assert_eq!(
        actions,
        [
            ("console:ann", "skip"),
            ("bob", "cache-cleanup"),
            ("console:ann", "cache-clear"),
            ("console:ann", "sign-in")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_does_is_shown_and_not_disturbed() {
    let stack = stack().await;
    let ann = Visitor::signed_in(&stack.projectors[0], ANN).await;
    stack.person("alice").await;
    let page = "/console/projections/profiles";
    let shows = async |text: &str| {
        wait_until(text, async || ann.page(page).await.contains(text)).await;
        let status = operate(&stack, &["status"]);
        assert!(status.contains(text), "{text}: {status}");
    };
    sqlx::query(
        "INSERT INTO projector.rebuilds (projection, generation, phase, made_by, indexes) VALUES ('profiles', 2, 'bulk', 'a test', '{}')",
    )
    .execute(&stack.pool)
    .await
    .unwrap();
    shows("the rebuild of generation 2 is not running and continues at the next `rebuild`: phase bulk").await;
    let mut other = stack.pool.acquire().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock($1, hashtext('profiles'))")
        .bind(0x7265_6275_i32)
        .execute(&mut *other)
        .await
        .unwrap();
    shows("the rebuild of generation 2 is running").await;
    assert_eq!(ann.sent(&format!("{page}/act/verify"), &[]).await.0, 303);
    let busy = "The verification did not start: another operation of this projection is running";
    wait_until(busy, async || ann.page(page).await.contains(busy)).await;
    other.close().await.unwrap();
    shows("is not running").await;
    assert_eq!(
        ann.sent(&format!("{page}/act/abort"), &[("confirmed", "yes")])
            .await
            .0,
        303
    );
    wait_until("it is dropped", async || {
        ann.page(page)
            .await
            .contains("dropped the unfinished rebuild")
    })
    .await;
    let audit = operate(&stack, &["audit"]);
    assert!(audit.contains("console:ann  abort profiles"), "{audit}");
}
