use feedmill_events::Tag;
use feedmill_tests::kit::wait_until;
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::{App, START, ids, time},
    nats::Announcer,
};

impl App {
    /// A like made `at` milliseconds after the start.
    async fn like(&self, user: Uuid, post: Uuid, at: i64) {
        sqlx::query("INSERT INTO likes (post_id, user_id, liked_at) VALUES ($1, $2, $3)")
            .bind(post)
            .bind(user)
            .bind(time(START + at))
            .execute(&self.pool)
            .await
            .unwrap();
        self.run(&format!(
            "UPDATE posts SET like_count = like_count + 1 WHERE id = '{post}'"
        ))
        .await;
    }
}

#[tokio::test]
async fn likes_of_a_post_have_the_shape_of_the_contract() {
    let app = App::start().await;
    let (author, fan) = (app.account(1).await, app.account(2).await);
    let post = app.post(author, 0, None).await;
    let path = format!("/v1/posts/{post}/likes");
    assert_eq!(
        app.get(author, &path).await.body,
        json!({ "items": [], "next_cursor": null, "prev_cursor": null, "total": 0 })
    );
    app.like(fan, post, 5).await;
    let body = app.get(author, &path).await.body;
    assert_eq!(
        body,
        json!({
            "items": [{
                "id": fan, "handle": "user2", "display_name": "User 2", "liked_at": "2024-04-13T09:20:00.005Z",
            }],
            "next_cursor": null, "prev_cursor": body["prev_cursor"], "total": 1,
        })
    );
    app.run(&format!("DELETE FROM posts WHERE id = '{post}'"))
        .await;
    assert_eq!(
        app.get(author, &path).await.code(),
        (404, "not_found"),
        "a deleted post"
    );
}

#[tokio::test]
async fn likes_of_a_post_are_latest_first() {
    let app = App::start().await;
    let author = app.account(1).await;
    let (post, other) = (
        app.post(author, 0, None).await,
        app.post(author, 1, None).await,
    );
    let mut likes = Vec::new();
    for n in 2..25 {
        let user = app.account(n).await;
        // Five at a time, and not in the order of the accounts.
        let at = i64::try_from(25 - n).unwrap() / 5;
        app.like(user, post, at).await;
        app.like(user, other, 9 - at).await;
        likes.push((at, user));
    }
    likes.sort();
    likes.reverse();
    let expected: Vec<_> = likes.into_iter().map(|(_, user)| user).collect();
    let path = format!("/v1/posts/{post}/likes");
    for limit in [1, 3, 22, 23, 24] {
        let listed = app.all(author, &path, limit).await;
        assert_eq!(ids(&listed), expected, "pages of {limit}");
    }
    assert_eq!(app.get(author, &path).await.body["total"], 23);
}

#[tokio::test]
async fn liked_posts_are_latest_like_first() {
    let app = App::start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    let mut likes = Vec::new();
    for n in 0..23 {
        let post = app.post(other, n, None).await;
        let at = (23 - n) / 5;
        app.like(me, post, at).await;
        likes.push((at, post));
    }
    likes.sort();
    likes.reverse();
    let expected: Vec<_> = likes.into_iter().map(|(_, post)| post).collect();
    app.like(other, expected[7], 0).await;
    for limit in [1, 3, 22, 23, 24] {
        let listed = app.all(me, "/v1/likes", limit).await;
        assert_eq!(ids(&listed), expected, "pages of {limit}");
    }
    let post = app.get(other, &format!("/v1/posts/{}", expected[7])).await;
    let likes = app.get(other, "/v1/likes").await.body;
    assert_eq!(likes["items"], json!([post.body]));
}

#[tokio::test]
async fn likes_are_cached_until_they_or_what_they_show_changes() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (me, author) = (app.account(1).await, app.account(2).await);
    let post = app.post(author, 0, None).await;
    app.like(me, post, 0).await;
    let of_post = format!("/v1/posts/{post}/likes");
    for (path, tags) in [
        (
            "/v1/likes",
            [
                ("feed", Tag::likes(me)),
                ("feed", Tag::post(post)),
                ("profiles", Tag::account_summary(author)),
            ]
            .as_slice(),
        ),
        (
            &of_post,
            &[
                ("feed", Tag::post(post)),
                ("profiles", Tag::account_summary(me)),
            ],
        ),
    ] {
        let is_cached = async || app.hits(me, path).await;
        assert!(!is_cached().await && is_cached().await, "{path}");
        announcer
            .announce_and_wait(&app, "feed", &[Tag::likes(author), Tag::feed(me)])
            .await;
        assert!(is_cached().await, "{path}");
        for (projection, tag) in tags {
            announcer.announce(projection, &[*tag]).await;
            wait_until("a miss", async || !is_cached().await).await;
            assert!(is_cached().await, "{path}");
        }
    }
}
