//! `projector explain`: operators learn why somebody sees a post.

use feedmill_events::event::v1::Audience;
use serde_json::Value;
use uuid::Uuid;

use super::{People, post_to, reply, status, tag_with};

impl People {
    /// What the operator is told, as JSON.
    fn explain(&self, viewer: &str, post: Uuid) -> Value {
        let output = self.operate(&[
            "explain",
            viewer,
            &post.to_string(),
            "--reason",
            "a test",
            "--json",
        ]);
        serde_json::from_str(&output.expect("an explanation")).expect("JSON")
    }

    /// The output of a subcommand of the projector, or its error.
    fn operate(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.stack.run("projector", arguments);
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        if output.status.success() {
            Ok(text(output.stdout))
        } else {
            Err(text(output.stderr))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_learns_which_rule_shows_a_post_and_which_events_it_depends_on() {
    let people = People::create().await;
    people.connect_first_with(&[1, 2]).await;
    let [alice, bob, carol, _] = &people.clients;
    let [_, b, c, _] = people.accounts;
    let family = tag_with(alice, "family", b).await;
    let shared = post_to(
        alice,
        &Audience::Tags(vec![family]),
        "A secret of the family",
    )
    .await;
    let answer = reply(bob, shared, "A secret reply").await;
    alice
        .change_audience(shared, &Audience::Connections)
        .await
        .expect(204);
    alice
        .change_audience(shared, &Audience::Tags(vec![family]))
        .await
        .expect(204);
    let path = format!("/v1/posts/{answer}");
    for (viewer, client, rule, visible) in [
        ("@alice", alice, "own_thread", true),
        ("@bob", bob, "own", true),
        ("carol", carol, "not_member", false),
    ] {
        let told = people.explain(viewer, answer);
        assert_eq!(
            (&told["rule"], &told["visible"]),
            (&rule.into(), &visible.into()),
            "{told}"
        );
        assert_eq!(status(client, &path).await, if visible { 200 } else { 404 });
    }
    // With its history.
    alice.tag_member(family, c, true).await.expect(204);
    assert_eq!(status(carol, &path).await, 200);
    let told = people.explain(&c.to_string(), answer);
    assert_eq!(
        (&told["rule"], &told["root"]),
        (&"member".into(), &shared.to_string().into())
    );
    let types: Vec<&str> = told["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["type"].as_str())
        .collect();
    let expected = [
        "post.created",
        "post.created",
        "post.audience_changed",
        "post.audience_changed",
        "tag.member_added",
    ];
    assert_eq!(types, expected, "{told}");
    assert!(
        !told.to_string().contains("secret") && !told.to_string().contains("family"),
        "{told}"
    );

    bob.block(c, true).await.expect(204);
    assert_eq!(status(carol, &path).await, 404);
    let told = people.explain("@carol", answer);
    assert_eq!(told["rule"], "blocked", "{told}");
    assert_eq!(told["meaning"], "its author blocks the viewer");
    let last = told["events"].as_array().unwrap().last().unwrap();
    assert_eq!(last["type"], "account.blocked", "{told}");
    let text = people.operate(&[
        "explain",
        "@carol",
        &answer.to_string(),
        "--reason",
        "a test",
        "--by",
        "ann",
    ]);
    let text = text.expect("text for people");
    assert!(
        text.contains("does not see") && text.contains("because its author blocks the viewer"),
        "{text}"
    );

    let audit = people.operate(&["status", "--json"]).expect("the status");
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let entry = &audit["audit"][0];
    assert_eq!(
        (&entry["action"], &entry["reason"]),
        (&"explain".into(), &"a test".into()),
        "{entry}"
    );
    assert_eq!(entry["by"], "ann", "{entry}");

    let nobody = people.operate(&[
        "explain",
        "@nobody",
        &answer.to_string(),
        "--reason",
        "a test",
    ]);
    assert!(nobody.unwrap_err().contains("there is no account @nobody"));
    let nothing = people.operate(&["explain", "@carol", &c.to_string(), "--reason", "a test"]);
    assert!(nothing.unwrap_err().contains("there is no post"));
}
