use std::cmp::Reverse;

use feedmill_tests::token::now;
use serde_json::json;
use uuid::Uuid;

use crate::app::{App, ids};

const HOUR: i64 = 3_600_000;

/// One root post per hour for nine days from Saturday 2024-04-13T09:20Z on, by the viewer and a followed author: the
/// hour, score and id of each.
struct Roots(Vec<(i64, i64, Uuid)>);

impl Roots {
    async fn make(app: &App, viewer: Uuid, author: Uuid) -> Self {
        let mut roots = Vec::new();
        for hour in 0..216_i64 {
            let root = app
                .post(
                    if hour % 3 == 0 { viewer } else { author },
                    hour * HOUR,
                    None,
                )
                .await;
            let (likes, replies) = (hour * 7 % 11, hour * 5 % 4);
            app.counts(root, likes, replies).await;
            roots.push((hour, 3 * replies + likes, root));
        }
        Self(roots)
    }

    fn newest_first(&self) -> Vec<Uuid> {
        self.0.iter().rev().map(|(_, _, root)| *root).collect()
    }

    /// The number of posts in these minutes after the start, and the top 50.
    fn top(&self, minutes: std::ops::Range<i64>) -> (usize, Vec<Uuid>) {
        let mut best: Vec<_> = self
            .0
            .iter()
            .filter(|(hour, ..)| minutes.contains(&(hour * 60)))
            .collect();
        best.sort_by_key(|(_, score, root)| Reverse((*score, *root)));
        (
            best.len(),
            best.iter().take(50).map(|(_, _, root)| *root).collect(),
        )
    }
}

#[tokio::test]
async fn a_digest_equals_its_definition_wherever_the_floor_is() {
    equals_its_definition(&App::start().await).await;
}

pub async fn equals_its_definition(app: &App) {
    let (viewer, author) = (app.account(1).await, app.account(2).await);
    app.follow(viewer, author, 0).await;
    let roots = Roots::make(app, viewer, author).await;
    let feed = roots.newest_first();
    // The start is 560 minutes into its day; Monday is 2 days after that midnight.
    let (day, monday) = (1_440 - 560, 2 * 1_440 - 560);
    for (depth, pulled) in [
        (216, "false"),
        (200, "false"),
        (100, "false"),
        (30, "false"),
        (1, "false"),
        (100, "like_count > 4"),
        (30, "author = (SELECT author FROM posts LIMIT 1)"),
        (0, "true"),
    ] {
        app.run("DELETE FROM feed_entries; DELETE FROM feed_floors; TRUNCATE pulled_authors")
            .await;
        app.run(&format!(
            "UPDATE posts SET pulled = {pulled};
            INSERT INTO pulled_authors SELECT author, count(*) FROM posts WHERE pulled GROUP BY 1"
        ))
        .await;
        app.entries(viewer, &feed[..depth]).await;
        app.run("DELETE FROM feed_entries USING posts WHERE post_id = id AND pulled")
            .await;
        if (1..feed.len()).contains(&depth) {
            app.floor(viewer, feed[depth - 1]).await;
        }
        for (query, minutes) in [
            ("period=day&date=2024-04-14", day..day + 1_440),
            ("date=2024-04-13", day - 1_440..day),
            ("period=week&date=2024-04-15", monday..monday + 7 * 1_440),
            ("period=week&date=2024-04-21", monday..monday + 7 * 1_440),
            ("period=week&date=2024-04-13", monday - 7 * 1_440..monday),
            ("period=week&date=2023-04-13", 0..0),
        ] {
            let digest = app.get(viewer, &format!("/v1/digest?{query}")).await;
            let (count, top) = roots.top(minutes);
            assert_eq!(
                digest.body["counters"]["posts"], count,
                "{query}, depth {depth}"
            );
            assert_eq!(
                ids(digest.body["top_posts"].as_array().unwrap()),
                top,
                "{query}, depth {depth}"
            );
        }
    }
}

#[tokio::test]
async fn a_digest_has_the_shape_of_the_contract() {
    let app = App::start().await;
    let viewer = app.account(1).await;
    let post = app.post(viewer, 0, None).await;
    app.counts(post, 4, 1).await;
    app.entries(viewer, &[post]).await;
    for (day, n) in [
        ("2024-04-07", 1000),
        ("2024-04-08", 1),
        ("2024-04-13", 10),
        ("2024-04-14", 100),
        ("2024-04-15", 5000),
    ] {
        app.run(&format!(
            "INSERT INTO digest_days VALUES ('{viewer}', '{day}', {n}, {}, {}, {})",
            2 * n,
            3 * n,
            4 * n
        ))
        .await;
    }
    let digest = app
        .get(viewer, "/v1/digest?period=week&date=2024-04-10")
        .await;
    let top = json!([{
        "id": post, "author": { "id": viewer, "handle": "user1", "display_name": "User 1" }, "text": "at 0",
        "reply_to": null, "created_at": "2024-04-13T09:20:00.000Z", "edited_at": null, "like_count": 4, "reply_count": 1,
        "audience": "public", "tags": null,
        "liked_by_me": false,
    }]);
    assert_eq!(
        digest.body,
        json!({
            "period": "week", "from": "2024-04-08T00:00:00.000Z", "to": "2024-04-15T00:00:00.000Z",
            "counters": {
                "posts": 1, "likes_received": 111, "replies_received": 222, "new_followers": 333, "new_connections": 0,
                "messages_received": 444,
            },
            "top_posts": top,
        })
    );
    let day = app
        .get(viewer, "/v1/digest?period=day&date=2024-04-14")
        .await;
    assert_eq!(
        day.body,
        json!({
            "period": "day", "from": "2024-04-14T00:00:00.000Z", "to": "2024-04-15T00:00:00.000Z",
            "counters": {
                "posts": 0, "likes_received": 100, "replies_received": 200, "new_followers": 300, "new_connections": 0,
                "messages_received": 400,
            },
            "top_posts": [],
        })
    );
}

#[tokio::test]
async fn the_default_digest_is_of_today() {
    let app = App::start().await;
    let digest = app.get(app.account(1).await, "/v1/digest").await;
    assert_eq!(digest.body["period"], "day");
    assert!(
        digest.body["from"]
            .as_str()
            .unwrap()
            .starts_with(&now().format("%Y-%m-%dT").to_string())
    );
}
