use serde_json::json;

use crate::app::{App, ids};

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
        "reply_to": root, "created_at": "2024-04-13T09:20:00.005Z", "like_count": 1, "reply_count": 0,
        "liked_by_me": true,
    });
    assert_eq!(
        app.get(a, &format!("/v1/posts/{reply}")).await.body,
        expected
    );
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
        json!({ "items": [], "next_cursor": null })
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
