use serde_json::json;
use uuid::Uuid;

use crate::app::{App, START, account_id, ids, time};

/// A viewer who follows four accounts, and root posts and replies of all of them. Returns the viewer and the viewer's
/// feed, newest first.
pub async fn world(app: &App) -> (Uuid, Vec<Uuid>) {
    let viewer = app.account(1).await;
    let stranger = app.account(9).await;
    let mut people = vec![viewer];
    for n in 2..=5 {
        let followee = app.account(n).await;
        app.follow(viewer, followee, 0).await;
        people.push(followee);
    }
    let mut feed = Vec::new();
    for n in 0..90_i64 {
        // Uneven: the newest roots of one author do not reach as far down as another's.
        let author = people[usize::try_from(n * n % 7 % 5).unwrap()];
        let root = app.post(author, n * 1_000, None).await;
        feed.push(root);
        if n % 9 == 0 {
            app.post(author, n * 1_000 + 5, Some(root)).await;
            app.post(stranger, n * 1_000 + 7, None).await;
        }
    }
    feed.reverse();
    (viewer, feed)
}

#[tokio::test]
async fn a_feed_post_has_the_shape_of_the_contract() {
    let app = App::start().await;
    let (viewer, author) = (app.account(1).await, app.account(2).await);
    let post = app.post(author, 1, None).await;
    app.counts(post, 3, 2).await;
    app.run(&format!("INSERT INTO likes VALUES ('{post}', '{viewer}')"))
        .await;
    app.entries(viewer, &[post]).await;
    let feed = app.get(viewer, "/v1/feed").await;
    assert_eq!(feed.headers["content-type"], "application/json");
    assert_eq!(
        feed.body,
        json!({
            "items": [{
                "id": post, "author": { "id": author, "handle": "user2", "display_name": "User 2" },
                "text": "at 1", "reply_to": null, "created_at": "2024-04-13T09:20:00.001Z", "edited_at": null,
                "like_count": 3, "reply_count": 2, "audience": "public", "tags": null, "liked_by_me": true, "read": false,
            }],
            "next_cursor": null, "prev_cursor": feed.body["prev_cursor"], "unread_count": 1,
        })
    );
    assert_eq!(time(START).to_rfc3339(), "2024-04-13T09:20:00+00:00");
}

#[tokio::test]
async fn a_feed_without_a_floor_pages_to_its_end() {
    let app = App::start().await;
    let (viewer, feed) = world(&app).await;
    app.entries(viewer, &feed).await;
    for limit in [1, 7, 20, 89, 90, 91, 100] {
        assert_eq!(
            ids(&app.all(viewer, "/v1/feed", limit).await),
            feed,
            "pages of {limit}"
        );
    }
}

#[tokio::test]
async fn a_feed_continues_below_the_floor() {
    below_the_floor(&App::start().await).await;
}

pub async fn below_the_floor(app: &App) {
    let (viewer, feed) = world(app).await;
    for depth in [1, 20, 37, 89] {
        app.run("DELETE FROM feed_entries; DELETE FROM feed_floors")
            .await;
        app.entries(viewer, &feed[..depth]).await;
        app.floor(viewer, feed[depth - 1]).await;
        for limit in [1, 6, 20, 36, 37, 38, 100] {
            let pages = app.all(viewer, "/v1/feed", limit).await;
            assert_eq!(ids(&pages), feed, "depth {depth}, pages of {limit}");
        }
    }
}

#[tokio::test]
async fn entries_below_the_floor_are_ignored() {
    let app = App::start().await;
    let (viewer, feed) = world(&app).await;
    let stranger = app.account(10).await;
    let stray = app.post(stranger, 500, None).await;
    app.entries(viewer, &feed[..40]).await;
    app.entries(viewer, &[stray]).await;
    app.floor(viewer, feed[39]).await;
    for limit in [3, 40, 100] {
        assert_eq!(ids(&app.all(viewer, "/v1/feed", limit).await), feed);
    }
}

/// Pulled are some or all posts of some authors, or of the viewer; and always those of a stranger.
#[tokio::test]
async fn pulled_posts_are_in_order_at_any_depth() {
    pulled(&App::start().await).await;
}

pub async fn pulled(app: &App) {
    let (viewer, feed) = world(app).await;
    for (pulled, limits) in [
        (
            "author IN ($1, $2) AND like_count = 0 AND get_byte(uuid_send(id), 5) % 2 = 0",
            [1, 7, 100],
        ),
        ("author = $3", [2, 20, 36]),
        ("author IN ($2, $3) AND id < $4", [3, 20, 90]),
        ("author IN ($1, $2, $3) AND id > $4", [1, 19, 20]),
        ("author = $1", [5, 20, 89]),
    ] {
        app.run("UPDATE posts SET pulled = false; TRUNCATE pulled_authors")
            .await;
        let sql = format!(
            "WITH made AS (
                UPDATE posts SET pulled = true WHERE reply_to IS NULL AND ({pulled} OR author = $5) RETURNING id, author
            ), known AS (
                INSERT INTO pulled_authors SELECT author, count(*) FROM made GROUP BY 1
            )
            SELECT id FROM made WHERE num_nulls($1::uuid, $2::uuid, $3::uuid, $4::uuid) = 0"
        );
        let pulled: Vec<Uuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(account_id(1))
            .bind(account_id(2))
            .bind(account_id(3))
            .bind(feed[45])
            .bind(account_id(9))
            .fetch_all(&app.pool)
            .await
            .unwrap();
        assert!(pulled.len() > 5, "{}", pulled.len());
        let pushed: Vec<Uuid> = feed
            .iter()
            .copied()
            .filter(|id| !pulled.contains(id))
            .collect();
        for depth in [1, 10, 25, pushed.len()] {
            app.run("DELETE FROM feed_entries; DELETE FROM feed_floors")
                .await;
            let depth = depth.min(pushed.len());
            app.entries(viewer, &pushed[..depth]).await;
            if depth < pushed.len() {
                app.floor(viewer, pushed[depth - 1]).await;
            }
            for limit in limits {
                let pages = app.all(viewer, "/v1/feed", limit).await;
                assert_eq!(ids(&pages), feed, "depth {depth}, pages of {limit}");
            }
        }
    }
}

#[tokio::test]
async fn a_post_of_an_unprojected_author_has_no_name() {
    let app = App::start().await;
    let viewer = app.account(1).await;
    let unknown = account_id(77);
    let post = app.post(unknown, 1, None).await;
    app.entries(viewer, &[post]).await;
    let feed = app.get(viewer, "/v1/feed").await;
    assert_eq!(
        feed.body["items"][0]["author"],
        json!({ "id": unknown, "handle": "", "display_name": "" })
    );
}

#[tokio::test]
async fn an_empty_feed_is_an_empty_page() {
    let app = App::start().await;
    let viewer = account_id(1);
    let feed = app.get(viewer, "/v1/feed").await;
    assert_eq!(
        (feed.status.as_u16(), feed.body),
        (
            200,
            json!({ "items": [], "next_cursor": null, "prev_cursor": null, "unread_count": 0 })
        )
    );
}
