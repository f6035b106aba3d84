//! Answers that are assembled from cached fragments, without a cache of whole answers. Announcements come through a real
//! NATS server.

use feedmill_events::Tag;
use feedmill_tests::kit::wait_until;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    app::{App, ids},
    digest, feed,
    nats::Announcer,
};

/// Caches fragments, but no answers.
async fn app() -> (App, Announcer) {
    let app = App::with_caches(0, 1 << 26).await;
    let announcer = Announcer::of(&app).await;
    (app, announcer)
}

async fn first(app: &App, viewer: Uuid, path: &str) -> Value {
    let reply = app.get(viewer, path).await;
    assert_eq!(reply.headers["x-cache"], "miss", "answers are not cached");
    match reply.body.get("items") {
        Some(items) => items[0].clone(),
        None => reply.body["top_posts"][0].clone(),
    }
}

#[tokio::test]
async fn a_fragment_is_cached_until_the_post_or_its_author_changes() {
    let (app, announcer) = app().await;
    let (me, you, other) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    let post = app.post(other, 0, None).await;
    for viewer in [me, you] {
        app.follow(viewer, other, 0).await;
        app.entries(viewer, &[post]).await;
    }
    let change = async |name: &str| {
        app.run(&format!(
            "UPDATE posts SET text = '{name}'; UPDATE accounts SET display_name = '{name}' WHERE id = '{other}'"
        ))
        .await;
    };
    change("old").await;
    for path in ["/v1/feed", "/v1/digest?period=day&date=2024-04-13"] {
        for (projection, tag) in [
            ("feed", Tag::post(post)),
            ("profiles", Tag::account_summary(other)),
        ] {
            let old = first(&app, me, path).await["text"].clone();
            change("unannounced").await;
            let seen = first(&app, you, path).await;
            assert_eq!(
                (&seen["text"], &seen["author"]["display_name"]),
                (&old, &old)
            );
            announcer.announce(projection, &[tag]).await;
            let announced = async || first(&app, you, path).await["text"] == "unannounced";
            wait_until("the announced change", announced).await;
            let seen = first(&app, me, path).await;
            assert_eq!(seen["author"]["display_name"], "unannounced");
            change("old").await;
            announcer.announce(projection, &[tag]).await;
            let announced = async || first(&app, you, path).await["text"] == "old";
            wait_until("the announced change", announced).await;
        }
    }
}

#[tokio::test]
async fn what_depends_on_the_viewer_is_not_cached() {
    let (app, _announcer) = app().await;
    let (me, you) = (app.account(1).await, app.account(2).await);
    app.follow(you, me, 0).await;
    let posts = [app.post(me, 0, None).await, app.post(me, 1, None).await];
    for viewer in [me, you] {
        app.entries(viewer, &posts).await;
    }
    let liked = async |viewer: Uuid, path: &str| {
        let body = app.get(viewer, path).await.body;
        let items = body.get("items").unwrap_or(&body["top_posts"]).clone();
        let items = items.as_array().unwrap().iter();
        items
            .map(|post| (post["id"].clone(), post["liked_by_me"] == true))
            .filter_map(|(id, liked)| liked.then_some(id))
            .collect::<Vec<_>>()
    };
    for path in ["/v1/feed", "/v1/digest?period=day&date=2024-04-13"] {
        app.run("TRUNCATE likes").await;
        assert!(liked(me, path).await.is_empty() && liked(you, path).await.is_empty());
        app.run(&format!(
            "INSERT INTO likes (post_id, user_id) VALUES ('{}', '{you}')",
            posts[0]
        ))
        .await;
        assert!(liked(me, path).await.is_empty());
        assert_eq!(liked(you, path).await, [posts[0].to_string()]);
    }
    app.run(&format!(
        "DELETE FROM feed_entries WHERE viewer = '{you}' AND post_id = '{}'",
        posts[1]
    ))
    .await;
    let feed = app.get(you, "/v1/feed").await.body;
    assert_eq!(ids(feed["items"].as_array().unwrap()), [posts[0]]);
}

#[tokio::test]
async fn only_missing_fragments_are_read() {
    let (app, announcer) = app().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    let texts = async |path: &str| {
        let body = app.get(me, path).await.body;
        let items = body.get("items").unwrap_or(&body["top_posts"]).clone();
        let items = items.as_array().unwrap().iter();
        items
            .map(|post| (post["text"].clone(), post["liked_by_me"] == true))
            .collect::<Vec<_>>()
    };
    for path in ["/v1/feed", "/v1/digest?period=day&date=2024-04-13"] {
        app.run("TRUNCATE posts, feed_entries, likes").await;
        let cached = app.post(other, 1, None).await;
        app.entries(me, &[cached]).await;
        app.run("UPDATE posts SET text = 'cached'").await;
        assert_eq!(texts(path).await, [("cached".into(), false)]);
        let others = [
            app.post(other, 0, None).await,
            app.post(other, 2, None).await,
        ];
        app.entries(me, &others).await;
        app.run(&format!(
            "UPDATE posts SET text = CASE id WHEN '{}' THEN 'first' WHEN '{}' THEN 'last' ELSE 'not announced' END;
            INSERT INTO likes (post_id, user_id) VALUES ('{cached}', '{me}'), ('{}', '{me}')",
            others[0], others[1], others[0],
        ))
        .await;
        let seen = texts(path).await;
        let expected = [("last", false), ("cached", true), ("first", true)];
        assert_eq!(
            seen,
            expected.map(|(text, liked)| (text.into(), liked)),
            "{path}"
        );
        // In the list of ids, but deleted.
        app.run(&format!("DELETE FROM posts WHERE id = '{}'", others[0]))
            .await;
        announcer.announce("feed", &[Tag::post(others[0])]).await;
        let gone = async || texts(path).await.len() == 2;
        wait_until("the page without the post", gone).await;
    }
}

#[tokio::test]
async fn an_assembled_feed_equals_its_definition_at_any_depth() {
    let (app, _announcer) = app().await;
    feed::below_the_floor(&app).await;
}

#[tokio::test]
async fn an_assembled_feed_with_pulled_posts_equals_its_definition() {
    let (app, _announcer) = app().await;
    feed::pulled(&app).await;
}

#[tokio::test]
async fn an_assembled_digest_equals_its_definition() {
    let (app, _announcer) = app().await;
    digest::equals_its_definition(&app).await;
}

#[tokio::test]
async fn a_score_is_cached_until_the_post_changes() {
    let (app, announcer) = app().await;
    let (me, you) = (app.account(1).await, app.account(2).await);
    let posts = [app.post(me, 0, None).await, app.post(me, 1, None).await];
    for viewer in [me, you] {
        app.entries(viewer, &posts).await;
    }
    let best = async |viewer: Uuid| {
        let body = app
            .get(viewer, "/v1/digest?period=day&date=2024-04-13")
            .await
            .body;
        ids(body["top_posts"].as_array().unwrap())
    };
    assert_eq!(best(me).await, [posts[1], posts[0]], "newest first");
    app.counts(posts[0], 2, 0).await;
    app.counts(posts[1], 0, 1).await;
    assert_eq!(best(you).await, [posts[1], posts[0]], "not announced");
    announcer.announce("feed", &[Tag::post(posts[0])]).await;
    let announced = async || best(you).await == [posts[0], posts[1]];
    wait_until("two likes before none", announced).await;
    announcer.announce("feed", &[Tag::post(posts[1])]).await;
    let announced = async || best(me).await == [posts[1], posts[0]];
    wait_until("one reply before two likes", announced).await;
}

/// With more likes than the list of ids returns.
#[tokio::test]
async fn likes_are_right_for_a_viewer_with_very_many() {
    let (app, _announcer) = app().await;
    let me = app.account(1).await;
    let posts = [app.post(me, 0, None).await, app.post(me, 1, None).await];
    app.entries(me, &posts).await;
    app.run(&format!(
        "INSERT INTO likes (post_id, user_id) SELECT '{}', '{me}';
        INSERT INTO likes (post_id, user_id)
        SELECT overlay('{}'::text PLACING to_char(n, 'FM000000000000') FROM 25)::uuid, '{me}'
        FROM generate_series(1, 1001) AS n",
        posts[0], posts[1],
    ))
    .await;
    for path in ["/v1/feed", "/v1/digest?period=day&date=2024-04-13"] {
        let body = app.get(me, path).await.body;
        let items = body.get("items").unwrap_or(&body["top_posts"]);
        let liked = items.as_array().unwrap().iter();
        let liked: Vec<bool> = liked.map(|post| post["liked_by_me"] == true).collect();
        assert_eq!(liked, [false, true], "{path}");
    }
}

/// The followed accounts are cached, and determine whose posts change the feed.
#[tokio::test]
async fn posts_of_a_newly_followed_account_change_the_feed() {
    let app = App::with_caches(1 << 26, 1 << 26).await;
    let announcer = Announcer::of(&app).await;
    let (me, one, other) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    let mut minute = 0;
    let mut appears = async |author: Uuid| {
        minute += 1;
        let post = app.post(author, minute * 60_000, None).await;
        app.entries(me, &[post]).await;
        announcer.announce("feed", &[Tag::posts_of(author)]).await;
        let first = async || {
            let feed = app.get(me, "/v1/feed").await.body;
            feed["items"][0]["id"] == post.to_string()
        };
        wait_until("a new post of a followed account", first).await;
    };
    app.follow(me, one, 0).await;
    appears(one).await;
    appears(one).await;
    app.follow(me, other, 1).await;
    announcer.announce("feed", &[Tag::feed(me)]).await;
    appears(other).await;
    appears(one).await;
    appears(other).await;
}
