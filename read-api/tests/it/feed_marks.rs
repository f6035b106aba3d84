//! What is unread in a feed.

use feedmill_events::Tag;
use feedmill_tests::kit::wait_until;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::{App, account_id, ids},
    feed::world,
    nats::Announcer,
};

impl App {
    async fn mark(&self, viewer: Uuid, up_to: Uuid) {
        self.run(&format!(
            "INSERT INTO feed_marks VALUES ('{viewer}', '{up_to}')
             ON CONFLICT (viewer) DO UPDATE SET up_to = excluded.up_to"
        ))
        .await;
    }

    /// Without announcements, changes of the tables go unnoticed.
    async fn feed(&self, viewer: Uuid, path: &str) -> Value {
        self.state.tag_versions.invalidate_all();
        self.get(viewer, path).await.body
    }
}

/// Compares the marks of every page of the feed with the definition, for a mark at each of some posts.
async fn equals_its_definition(app: &App, viewer: Uuid, feed: &[Uuid], what: &str) {
    for mark in [Uuid::nil(), Uuid::max()]
        .into_iter()
        .chain(feed.iter().copied().step_by(11))
    {
        app.mark(viewer, mark).await;
        let mut expected = None;
        let mut path = "/v1/feed?limit=30".to_owned();
        for forth in [true, true, true, false] {
            let page = app.feed(viewer, &path).await;
            let context = format!("{what}, mark {mark}, {path}");
            for post in page["items"].as_array().unwrap() {
                let id: Uuid = post["id"].as_str().unwrap().parse().unwrap();
                let own = post["author"]["id"] == viewer.to_string();
                assert_eq!(post["read"], own || id <= mark, "{context}");
            }
            let unread =
                *expected.get_or_insert(page["unread_count"].clone()) == page["unread_count"];
            assert!(unread, "{context}");
            let cursor = if forth { "next_cursor" } else { "prev_cursor" };
            if let Some(cursor) = page[cursor].as_str() {
                path = format!("/v1/feed?limit=30&cursor={cursor}");
            }
        }
        let own: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM posts WHERE author = $1")
            .bind(viewer)
            .fetch_all(&app.pool)
            .await
            .unwrap();
        let unread = feed.iter().filter(|id| **id > mark && !own.contains(id));
        assert_eq!(expected, Some(json!(unread.count())), "{what}, mark {mark}");
    }
}

async fn all_feeds_equal_their_definition(app: &App) {
    let (viewer, feed) = world(app).await;
    app.entries(viewer, &feed).await;
    equals_its_definition(app, viewer, &feed, "no floor").await;
    for depth in [1, 37] {
        app.run("DELETE FROM feed_entries; DELETE FROM feed_floors")
            .await;
        app.entries(viewer, &feed[..depth]).await;
        app.floor(viewer, feed[depth - 1]).await;
        equals_its_definition(app, viewer, &feed, &format!("depth {depth}")).await;
    }
    // Two authors and the viewer are pulled from some post on.
    app.run(&format!(
        "WITH made AS (
            UPDATE posts SET pulled = true
            WHERE reply_to IS NULL AND author IN ('{viewer}', '{}', '{}') AND id > '{}'
            RETURNING id, author
        ), forgotten AS (
            DELETE FROM feed_entries USING made WHERE post_id = made.id
        )
        INSERT INTO pulled_authors SELECT author, count(*) FROM made GROUP BY 1",
        account_id(2),
        account_id(9),
        feed[60]
    ))
    .await;
    equals_its_definition(app, viewer, &feed, "pulled").await;
}

#[tokio::test]
async fn unread_posts_equal_their_definition() {
    all_feeds_equal_their_definition(&App::start().await).await;
}

#[tokio::test]
async fn unread_posts_of_an_assembled_feed_equal_their_definition() {
    let app = App::start().await;
    let _announcer = Announcer::of(&app).await;
    all_feeds_equal_their_definition(&app).await;
}

#[tokio::test]
async fn more_than_a_thousand_unread_posts_are_a_thousand() {
    let app = App::start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    app.run(&format!(
        "INSERT INTO posts (id, author, text, created_at)
        SELECT overlay('018ed6a0-0000-7000-8000-000000000000' PLACING to_char(n, 'FM000000000000') FROM 25)::uuid,
            CASE WHEN n % 2 = 0 THEN '{me}' ELSE '{other}' END::uuid, 'text', now()
        FROM generate_series(1, 2001) AS n"
    ))
    .await;
    let entries = |condition: &str| {
        format!(
            "INSERT INTO feed_entries (viewer, post_id, shared_with)
            SELECT '{me}', id, nullif(author, '{other}') FROM posts WHERE text = 'text' AND {condition}"
        )
    };
    let unread = async || app.feed(me, "/v1/feed?limit=1").await["unread_count"].clone();
    app.run(&entries("true")).await;
    assert_eq!(unread().await, 1_000, "1,001 of them");
    // Most of them below the floor.
    app.run("DELETE FROM feed_entries").await;
    let floor: Uuid =
        sqlx::query_scalar("SELECT id FROM posts ORDER BY id DESC OFFSET 100 LIMIT 1")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    app.run(&entries(&format!("id >= '{floor}'"))).await;
    app.floor(me, floor).await;
    assert_eq!(unread().await, 1_000);
    app.run(&format!(
        "DELETE FROM posts WHERE id IN (SELECT id FROM posts WHERE author = '{other}' ORDER BY id LIMIT 2)"
    ))
    .await;
    assert_eq!(unread().await, 999);
}

#[tokio::test]
async fn a_feed_is_cached_until_its_mark_moves() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    let post = app.post(other, 0, None).await;
    app.entries(me, &[post]).await;
    let read = async || {
        let feed = app.get(me, "/v1/feed").await.body;
        assert_eq!(ids(feed["items"].as_array().unwrap()), [post]);
        (
            feed["items"][0]["read"] == true,
            feed["unread_count"].clone(),
        )
    };
    assert_eq!(read().await, (false, json!(1)));
    app.mark(me, post).await;
    announcer
        .announce_and_wait(&app, "feed", &[Tag::feed_mark(other)])
        .await;
    assert_eq!(read().await, (false, json!(1)), "not announced");
    announcer.announce("feed", &[Tag::feed_mark(me)]).await;
    wait_until("the new mark", async || read().await == (true, json!(0))).await;
}

#[tokio::test]
async fn unread_posts_are_counted_again_when_posts_of_the_feed_change() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    let mut posts = vec![app.post(other, 0, None).await];
    app.entries(me, &posts).await;
    let read = async || {
        let feed = app.get(me, "/v1/feed").await.body;
        let count = feed["unread_count"].clone();
        (feed["items"].as_array().unwrap().len(), count)
    };
    assert_eq!(read().await, (1, json!(1)));
    posts.push(app.post(other, 1, None).await);
    app.entries(me, &posts[1..]).await;
    // The page is read again, and the count is not.
    announcer.announce("feed", &[Tag::post(posts[0])]).await;
    wait_until("the new post", async || read().await == (2, json!(1))).await;
    for tag in [Tag::posts_of(other), Tag::feed(me), Tag::access(me)] {
        app.run(&format!(
            "DELETE FROM feed_entries WHERE post_id = '{}'",
            posts[1]
        ))
        .await;
        announcer.announce("feed", &[tag]).await;
        wait_until("one post", async || read().await == (1, json!(1))).await;
        app.entries(me, &posts[1..]).await;
        announcer.announce("feed", &[tag]).await;
        wait_until("both posts", async || read().await == (2, json!(2))).await;
    }
}
