//! What an operator does with the console, in a real browser.

use fantoccini::key::Key;
use feedmill_tests::kit::{Browser, Stack};

use super::{ANN, append_unreadable, operate, stack, window::Window};

/// Some people who write, follow and like.
async fn activity(stack: &Stack) {
    let (alice_id, alice) = stack.person("alice").await;
    let mut readers = vec![];
    for handle in ["bob", "carla", "dmitri", "emeka", "farah"] {
        readers.push(stack.person(handle).await.1);
    }
    for reader in &readers {
        reader.follow(alice_id).await.expect(204);
    }
    for n in 0..12 {
        let post = alice.post(&format!("a private thought {n}"), None).await;
        let post = post.expect(201).id();
        let reader = &readers[n % readers.len()];
        reader.like(post).await.expect(204);
        reader
            .post(&format!("an answer {n}"), Some(post))
            .await
            .expect(201);
        reader
            .post(&format!("something else {n}"), None)
            .await
            .expect(201);
    }
    for reader in &readers {
        reader.wait_for(&alice.positions());
        reader.get("/v1/feed").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_pauses_skips_rebuilds_and_rolls_back() {
    let stack = stack().await;
    activity(&stack).await;
    let origin = stack.projectors[0].operators_url("");
    let browser = Browser::start().await;
    let mut window = Window::open(&browser, &origin).await;

    // With the keyboard alone: sign in, skip the navigation, follow the first projection.
    window.goto("/console").await;
    assert_eq!(window.path().await, "/console/sign-in");
    window.picture("sign-in").await;
    window.keys(&[Key::Tab, Key::Tab]).await;
    assert_eq!(window.focus().await, "token");
    let token = window.client.active_element().await.unwrap();
    token.send_keys(ANN).await.unwrap();
    window.keys(&[Key::Enter]).await;
    window.shows("Signed in as console:ann").await;
    window.keys(&[Key::Tab]).await;
    assert_eq!(window.focus().await, "Skip to content");
    window.keys(&[Key::Enter, Key::Tab, Key::Tab]).await;
    assert_eq!(window.focus().await, "conversations");
    window.shows("up to date").await;

    // A projection is paused.
    window.press("digest").await;
    window.fill("reason", "the disk is nearly full").await;
    window.press("Pause").await;
    window
        .shows("digest is paused; instances stop within a second")
        .await;
    window.shows("PAUSED by console:ann").await;
    let (_, carol) = stack.person("carol").await;
    carol
        .post("the digest waits for this", None)
        .await
        .expect(201);
    window.press("Projections").await;
    window.shows("64 of 64 paused").await;

    // An event blocks.
    let (partition, seq) = append_unreadable(&stack).await;
    window.shows("1 of 64 blocked").await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let charts = "return document.querySelectorAll('.uplot canvas').length";
    assert_eq!(window.client.execute(charts, vec![]).await.unwrap(), 2);
    window.picture("projections").await;
    window.press("feed").await;
    window.shows("does not decode").await;
    window.picture("blocked").await;

    // It is skipped with a reason.
    window.press("Skip event").await;
    window
        .shows(&format!("Skip event {partition}:{seq}?"))
        .await;
    window.picture("skip").await;
    window
        .fill("reason", "written by a program that is gone")
        .await;
    window.press("Skip the event").await;
    window
        .shows(&format!("feed skips event {partition}:{seq}"))
        .await;
    window.shows("✓ up to date").await;

    // A rebuild runs to the swap, and is rolled back.
    window.press("Rebuild").await;
    window.shows("rebuild is complete").await;
    window
        .shows("generation 2 is live, equal to the previous one")
        .await;
    window.picture("rebuilt").await;
    window.press("Roll back").await;
    window.shows("rollback is complete").await;
    window.shows("generation 3 is live, rolled back").await;

    // The progress of a rebuild: this one waits for the paused digest, until it is clear that it stands still.
    window.goto("/console/projections/digest").await;
    window.fill("lag", "0").await;
    window.press("Rebuild").await;
    window.shows("rebuild is running: replaying the log").await;
    window.shows("waiting: the live model is").await;
    let announced = "return document.getElementById('announcement').textContent";
    let announced = window.client.execute(announced, vec![]).await.unwrap();
    assert_eq!(announced, "The rebuild is running: replaying the log");
    window.picture("progress").await;
    window.shows("generation 2 is live").await;

    // The digest continues where it was.
    window.goto("/console/projections/digest").await;
    window.fill("reason", "the disk has space again").await;
    window.press("Resume").await;
    window.shows("digest is resumed").await;

    let errors = window.logged().await;
    assert!(errors.is_empty(), "{errors:#?}");
    let audit = operate(&stack, &["status"]);
    for entry in [
        "console:ann  pause digest: the disk is nearly full",
        "console:ann  resume digest: the disk has space again",
        "console:ann  cutover feed: rolled back",
    ] {
        assert!(audit.contains(entry), "{entry} in {audit}");
    }
    window.client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_finds_damaged_rows_and_swaps_in_the_rebuilt_ones() {
    let stack = stack().await;
    activity(&stack).await;
    let browser = Browser::start().await;
    let mut window = Window::open(&browser, &stack.projectors[0].operators_url("")).await;
    window.sign_in(ANN).await;
    sqlx::raw_sql(
        "UPDATE profiles.accounts SET display_name = 'somebody else' WHERE handle = 'alice';
         DELETE FROM profiles.follows",
    )
    .execute(&stack.pool)
    .await
    .unwrap();
    window.goto("/console/projections/profiles").await;
    window.press("Verify").await;
    window
        .shows("verification has found differences and changed nothing")
        .await;
    window.shows("Rows that differ").await;
    let text = window.text().await;
    assert!(
        text.contains("no row") && !text.contains("somebody else"),
        "{text}"
    );
    window.picture("differences").await;

    // A rebuild asks what to do with them; first it is dropped, then swapped in.
    for (question, answer, done) in [
        (
            "Drop the rebuilt tables",
            "Drop the unfinished rebuild",
            "dropped the unfinished rebuild",
        ),
        (
            "Swap in the rebuilt tables",
            "Accept the differences and swap",
            "generation 2 is live, differences accepted",
        ),
    ] {
        window.press("Rebuild").await;
        window
            .shows("rebuild has found differences and changed nothing")
            .await;
        window.press(question).await;
        window.shows("Cancel").await;
        window.picture("confirm").await;
        window.press(answer).await;
        window.shows(done).await;
    }
    window.press("Verify").await;
    window.shows("the live model equals the log").await;
    window.press("Drop the previous generation").await;
    window.press("Drop the previous generation").await;
    window.shows("dropped the previous generation").await;

    let errors = window.logged().await;
    assert!(errors.is_empty(), "{errors:#?}");
    window.client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_follows_the_log_and_asks_for_texts() {
    let stack = stack().await;
    activity(&stack).await;
    let browser = Browser::start().await;
    let mut window = Window::open(&browser, &stack.projectors[0].operators_url("")).await;
    window.sign_in(ANN).await;
    window.press("Log").await;
    window.shows("Events, latest first").await;
    window.picture("log").await;
    window.press("Older events").await;
    window.fill("account", "@bob").await;
    window.press("Show").await;
    window.shows("post.liked").await;

    // One post, its thread, and its text for a reason.
    let post = window.client.execute(FIRST_POST, vec![]).await.unwrap();
    window.goto(post.as_str().unwrap()).await;
    window.shows("Effect on the read models").await;
    assert!(!window.text().await.contains("private thought"));
    window.picture("event").await;
    window.fill("reason", "a report of abuse").await;
    window.press("Show texts").await;
    window.shows("something else").await;
    window.press("Follow the post").await;
    window.shows("Events, latest first").await;

    // New events appear by themselves.
    window.goto("/console/log?follow=yes").await;
    let (_, dora) = stack.person("dora").await;
    let new = dora.post("new", None).await.expect(201).id();
    window.shows(&new.to_string()[24..]).await;

    window.press("Operations").await;
    window.shows("Slowest here").await;
    window.picture("operations").await;
    window.fill("reason", "a test").await;
    window.press("Clean up").await;
    window.shows("announced to all read-apis").await;
    window.press("Show the indexes").await;
    window.shows("posts_of_author").await;
    window.picture("indexes").await;
    window.press("Explain").await;
    window.fill("viewer", "@bob").await;
    window.fill("post", &new.to_string()).await;
    window.fill("reason", "a question").await;
    window
        .client
        .find(fantoccini::Locator::Css("main button"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    window.shows("The viewer sees the post").await;
    window.picture("explain").await;
    window.press("Audit").await;
    window.shows("a report of abuse").await;
    window.picture("audit").await;
    window.press("Sign out").await;
    window.shows("Your operator's token").await;

    let errors = window.logged().await;
    assert!(errors.is_empty(), "{errors:#?}");
    window.client.close().await.unwrap();
}

/// The path of an event of a post.
const FIRST_POST: &str = r#"
const rows = [...document.querySelectorAll("tbody tr")];
return rows.find(row => row.innerText.includes("post.created")).querySelector("a").pathname;
"#;
