//! What an operator does with the console, in a real browser.

use fantoccini::key::Key;
use feedmill_tests::kit::{Browser, Stack};

use super::{ANN, append_unreadable, operate, stack, window::Window};

/// Some people who write, follow and like.
async fn activity(stack: &Stack) {
    let ((alice_id, alice), (_, bob)) = (stack.person("alice").await, stack.person("bob").await);
    bob.follow(alice_id).await.expect(204);
    for n in 0..20 {
        let post = alice
            .post(&format!("a private thought {n}"), None)
            .await
            .expect(201)
            .id();
        bob.like(post).await.expect(204);
        bob.post(&format!("an answer {n}"), Some(post))
            .await
            .expect(201);
    }
    bob.wait_for(&alice.positions());
    bob.get("/v1/feed").await.expect(200);
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
