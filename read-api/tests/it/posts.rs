use feedmill_events::Tag;
use feedmill_tests::kit::wait_until;
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::{App, START, ids, time},
    nats::Announcer,
};

#[tokio::test]
async fn a_post_has_the_shape_of_the_contract() {
    let app = App::start().await;
    let (a, b) = (app.account(1).await, app.account(2).await);
    let root = app.post(a, 0, None).await;
    let reply = app.post(b, 5, Some(root)).await;
    app.counts(reply, 1, 0).await;
    app.run(&format!("INSERT INTO likes VALUES ('{reply}', '{a}')"))
        .await;
    let mut expected = json!({
        "id": reply, "author": { "id": b, "handle": "user2", "display_name": "User 2" }, "text": "at 5",
        "reply_to": root, "created_at": "2024-04-13T09:20:00.005Z", "edited_at": null, "like_count": 1, "reply_count": 0,
        "audience": "public", "tags": null,
        "liked_by_me": true,
    });
    assert_eq!(
        app.get(a, &format!("/v1/posts/{reply}")).await.body,
        expected
    );
    app.run(&format!(
        "UPDATE posts SET text = 'edited', edited_at = '2024-04-13T09:20:00.01Z' WHERE id = '{reply}'"
    ))
    .await;
    expected["text"] = json!("edited");
    expected["edited_at"] = json!("2024-04-13T09:20:00.010Z");
    expected["liked_by_me"] = json!(false);
    assert_eq!(
        app.get(b, &format!("/v1/posts/{reply}")).await.body,
        expected
    );
}

#[tokio::test]
async fn replies_are_oldest_first_and_outlive_their_post() {
    let app = App::start().await;
    let author = app.account(1).await;
    let root = app.post(author, 0, None).await;
    let path = format!("/v1/posts/{root}/replies");
    assert_eq!(
        app.get(author, &path).await.body,
        json!({ "items": [], "next_cursor": null, "prev_cursor": null })
    );

    let mut replies = Vec::new();
    for n in 1..=9 {
        let reply = app.post(author, n, Some(root)).await;
        app.post(author, n + 100, Some(reply)).await;
        replies.push(reply);
    }
    for limit in [1, 4, 8, 9, 10] {
        assert_eq!(
            ids(&app.all(author, &path, limit).await),
            replies,
            "direct replies only"
        );
    }
    app.run(&format!("DELETE FROM posts WHERE id = '{root}'"))
        .await;
    assert_eq!(
        app.get(author, &format!("/v1/posts/{root}")).await.code(),
        (404, "not_found")
    );
    let orphans = app.all(author, &path, 4).await;
    assert_eq!(ids(&orphans), replies);
    assert_eq!(orphans[0]["reply_to"], json!(root));
    app.run(&format!("DELETE FROM posts WHERE reply_to = '{root}'"))
        .await;
    assert_eq!(app.get(author, &path).await.code(), (404, "not_found"));
}

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
    let bookmarks = app.get(other, "/v1/bookmarks").await.body;
    assert_eq!(bookmarks["items"], json!([post.body]));
    assert_eq!(bookmarks["next_cursor"], json!(null));
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

#[tokio::test]
async fn ancestors_are_from_the_root_down_without_deleted_ones() {
    let app = App::start().await;
    let author = app.account(1).await;
    let mut chain = vec![app.post(author, 0, None).await];
    for n in 1..=9 {
        // An id may be less than its parent's, if another clock made it.
        let at = if n == 4 { -5 } else { n };
        let reply = app.post(author, at, chain.last().copied()).await;
        app.post(author, 100 + n, Some(reply)).await;
        chain.push(reply);
    }
    let path = |post: Uuid| format!("/v1/posts/{post}/ancestors");
    let last = path(chain[9]);
    for limit in [1, 4, 8, 9, 10] {
        let ancestors = app.all(author, &last, limit).await;
        assert_eq!(ids(&ancestors), chain[..9], "pages of {limit}");
    }
    assert_eq!(
        app.get(author, &path(chain[0])).await.body,
        json!({ "items": [], "next_cursor": null, "prev_cursor": null })
    );

    // A page that was read before a post is deleted continues where it ended.
    let first = app.get(author, &format!("{last}?limit=3")).await.body;
    let next = first["next_cursor"].as_str().unwrap();
    for deleted in [0, 2, 5, 6] {
        app.delete_post(chain[deleted]).await;
    }
    let rest = app.get(author, &format!("{last}?cursor={next}")).await.body;
    let rest = ids(rest["items"].as_array().unwrap());
    assert_eq!(rest, [3, 4, 7, 8].map(|n| chain[n]));
    let stand = [1, 3, 4, 7, 8].map(|n| chain[n]);
    for limit in [1, 2, 4, 5, 6] {
        let ancestors = app.all(author, &last, limit).await;
        assert_eq!(ids(&ancestors), stand, "pages of {limit}");
        assert_eq!(ancestors[0]["reply_to"], json!(chain[0]));
    }
    assert_eq!(
        app.get(author, &path(chain[6])).await.code(),
        (404, "not_found"),
        "a deleted post"
    );
}

impl App {
    async fn delete_post(&self, post: Uuid) {
        self.run(&format!(
            "INSERT INTO deleted_replies SELECT id, reply_to FROM posts WHERE id = '{post}' AND reply_to IS NOT NULL;
            DELETE FROM posts WHERE id = '{post}'"
        ))
        .await;
    }
}

#[tokio::test]
async fn ancestors_are_cached_until_one_changes() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (me, author) = (app.account(1).await, app.account(2).await);
    let root = app.post(author, 0, None).await;
    let reply = app.post(me, 1, Some(root)).await;
    let path = format!("/v1/posts/{reply}/ancestors");
    let is_cached = async || app.hits(me, &path).await;
    assert!(!is_cached().await && is_cached().await);
    for (projection, tag) in [
        ("feed", Tag::post(root)),
        ("feed", Tag::post(reply)),
        ("profiles", Tag::account_summary(author)),
    ] {
        announcer.announce(projection, &[tag]).await;
        wait_until("a miss", async || !is_cached().await).await;
        assert!(is_cached().await);
    }
}
