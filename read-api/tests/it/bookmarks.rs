use feedmill_events::Tag;
use feedmill_tests::kit::wait_until;
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::{App, START, ids, time},
    nats::Announcer,
};

impl App {
    /// A bookmark made `at` milliseconds after the start.
    pub async fn bookmark(&self, viewer: Uuid, post: Uuid, at: i64) {
        sqlx::query("INSERT INTO bookmarks VALUES ($1, $2, $3)")
            .bind(post)
            .bind(viewer)
            .bind(time(START + at))
            .execute(&self.pool)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn bookmarks_are_latest_first_and_private() {
    let app = App::start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    let mut bookmarks = Vec::new();
    for n in 0..23 {
        let post = app.post(other, n, None).await;
        // The order of the bookmarks is not the order of the posts. Five are made at a time.
        let at = (23 - n) / 5;
        app.bookmark(me, post, at).await;
        bookmarks.push((at, post));
    }
    bookmarks.sort();
    bookmarks.reverse();
    let expected: Vec<_> = bookmarks.into_iter().map(|(_, post)| post).collect();
    app.bookmark(other, expected[7], 0).await;
    for limit in [1, 3, 22, 23, 24] {
        assert_eq!(
            ids(&app.all(me, "/v1/bookmarks", limit).await),
            expected,
            "pages of {limit}"
        );
    }
    let post = app.get(other, &format!("/v1/posts/{}", expected[7])).await;
    assert_eq!(
        app.get(other, "/v1/bookmarks").await.body,
        json!({ "items": [post.body], "next_cursor": null })
    );
}

#[tokio::test]
async fn bookmarks_are_cached_until_they_or_their_posts_change() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (me, author) = (app.account(1).await, app.account(2).await);
    let post = app.post(author, 0, None).await;
    app.bookmark(me, post, 0).await;
    let is_cached = async || app.hits(me, "/v1/bookmarks").await;
    assert!(!is_cached().await && is_cached().await);
    announcer
        .announce_and_wait(&app, "feed", &[Tag::bookmarks(author), Tag::feed(me)])
        .await;
    assert!(is_cached().await);
    for (projection, tag) in [
        ("feed", Tag::bookmarks(me)),
        ("feed", Tag::post(post)),
        ("profiles", Tag::account_summary(author)),
    ] {
        announcer.announce(projection, &[tag]).await;
        wait_until("a miss", async || !is_cached().await).await;
        assert!(is_cached().await);
    }
}
