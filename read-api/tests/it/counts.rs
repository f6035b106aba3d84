use feedmill_events::{Tag, id};
use feedmill_tests::kit::wait_until;
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::{App, START},
    nats::Announcer,
};

const CONVERSATION: Uuid = Uuid::from_u128(7);

/// Two unread posts, three messages and one notification.
async fn world(app: &App) -> (Uuid, Uuid) {
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    let own = app.post(me, 0, None).await;
    let posts = [
        app.post(other, 1, None).await,
        app.post(other, 2, None).await,
    ];
    app.entries(me, &[own, posts[0], posts[1]]).await;
    app.entries(other, &posts).await;
    let notification = id::compose(START, 0, 1, None);
    app.run(&format!(
        "INSERT INTO members VALUES ('{me}', '{CONVERSATION}', '{CONVERSATION}', NULL, 3);
         INSERT INTO notifications VALUES ('{me}', '{notification}', '{other}')"
    ))
    .await;
    (me, other)
}

#[tokio::test]
async fn counts_have_the_shape_of_the_contract() {
    let app = App::start().await;
    let (me, other) = world(&app).await;
    assert_eq!(
        app.get(me, "/v1/counts").await.body,
        json!({ "feed": 2, "conversations": 3, "notifications": 1, "connection_requests": 0 })
    );
    assert_eq!(
        app.get(other, "/v1/counts").await.body,
        json!({ "feed": 0, "conversations": 0, "notifications": 0, "connection_requests": 0 })
    );
}

#[tokio::test]
async fn counts_are_cached_until_one_changes() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (me, other) = world(&app).await;
    let is_cached = async || app.hits(me, "/v1/counts").await;
    assert!(!is_cached().await && is_cached().await);
    let others = [Tag::feed_mark(other), Tag::feed(other), Tag::likes(me)];
    announcer.announce_and_wait(&app, "feed", &others).await;
    assert!(is_cached().await);
    // The second time, the followed accounts are cached.
    for (projection, tag) in [
        ("feed", Tag::posts_of(other)),
        ("feed", Tag::posts_of(other)),
        ("feed", Tag::posts_of(me)),
        ("feed", Tag::feed_mark(me)),
        ("feed", Tag::feed(me)),
        ("conversations", Tag::conversations(me)),
        ("notifications", Tag::notifications(me)),
    ] {
        announcer.announce(projection, &[tag]).await;
        wait_until("a miss", async || !is_cached().await).await;
        assert!(is_cached().await);
    }
}
