use feedmill_events::id;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{App, START, ids};

impl App {
    /// A notification of the viewer, `at` milliseconds after the start: a follow, a like of `post` or a `reply` to it.
    pub async fn notify(
        &self,
        viewer: Uuid,
        at: i64,
        actor: Uuid,
        post: Option<Uuid>,
        reply: Option<Uuid>,
    ) -> Uuid {
        let id = id::compose(START + at, 0, rand::random(), None);
        sqlx::query("INSERT INTO notifications VALUES ($1, $2, $3, $4, $5)")
            .bind(viewer)
            .bind(id)
            .bind(actor)
            .bind(post)
            .bind(reply)
            .execute(&self.pool)
            .await
            .unwrap();
        self.run(&format!(
            "INSERT INTO notification_totals AS t VALUES ('{viewer}', 1)
             ON CONFLICT (viewer) DO UPDATE SET total = t.total + 1"
        ))
        .await;
        id
    }

    pub async fn read_notifications(&self, viewer: Uuid, up_to: Uuid) {
        self.run(&format!(
            "INSERT INTO notification_marks VALUES ('{viewer}', '{up_to}')
             ON CONFLICT (viewer) DO UPDATE SET up_to = excluded.up_to"
        ))
        .await;
    }
}

#[tokio::test]
async fn notifications_have_the_shape_of_the_contract() {
    let app = App::start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    let root = app.post(other, 1, None).await;
    let mine = app.post(me, 2, Some(root)).await;
    let answer = app.post(other, 3, Some(mine)).await;
    let follow = app.notify(me, 1_000, other, None, None).await;
    let like = app.notify(me, 2_000, other, Some(mine), None).await;
    let reply = app.notify(me, 3_000, other, Some(mine), Some(answer)).await;
    app.read_notifications(me, follow).await;
    let page = app.get(me, "/v1/notifications").await;
    let actor = json!({ "id": other, "handle": "user2", "display_name": "User 2" });
    assert_eq!(
        page.body,
        json!({
            "items": [
                {
                    "id": reply, "type": "reply", "actor": actor,
                    "post": { "id": answer, "text": "at 3", "reply_to": mine },
                    "created_at": "2024-04-13T09:20:03.000Z", "read": false,
                },
                {
                    "id": like, "type": "like", "actor": actor,
                    "post": { "id": mine, "text": "at 2", "reply_to": root },
                    "created_at": "2024-04-13T09:20:02.000Z", "read": false,
                },
                {
                    "id": follow, "type": "follow", "actor": actor, "post": null,
                    "created_at": "2024-04-13T09:20:01.000Z", "read": true,
                },
            ],
            "next_cursor": null, "prev_cursor": page.body["prev_cursor"],
            "total": 3, "unread_count": 2,
        })
    );
    let nobodys = app.get(other, "/v1/notifications").await;
    assert_eq!(
        nobodys.body,
        json!({
            "items": [], "next_cursor": null, "prev_cursor": null, "total": 0, "unread_count": 0,
        })
    );
}

#[tokio::test]
async fn every_page_has_the_counts() {
    let app = App::start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    let mut all = Vec::new();
    for n in 0..23 {
        let post = app.post(me, n, None).await;
        all.push(app.notify(me, n * 10, other, Some(post), None).await);
        app.notify(other, n * 10, me, Some(post), None).await;
    }
    all.reverse();
    // Read: none, some, up to an id between two, all, and beyond the last.
    let between = id::first_of(id::millis(all[9]) + 5);
    let marks = [
        (Uuid::nil(), 23),
        (all[20], 20),
        (between, 9),
        (all[0], 0),
        (id::first_of(START + 1_000_000), 0),
    ];
    for (mark, unread) in marks {
        app.read_notifications(me, mark).await;
        for limit in [1, 9, 22, 23, 24] {
            let items = app.all(me, "/v1/notifications", limit).await;
            assert_eq!(ids(&items), all, "pages of {limit}");
            let open = items
                .iter()
                .filter(|item| item["read"] == Value::Bool(false));
            assert_eq!(open.count(), unread);
        }
        let mut path = "/v1/notifications?limit=9".to_owned();
        loop {
            let page = app.get(me, &path).await;
            assert_eq!(page.body["unread_count"], unread);
            assert_eq!(page.body["total"], 23);
            let Some(cursor) = page.body["next_cursor"].as_str() else {
                break;
            };
            path = format!("/v1/notifications?limit=9&cursor={cursor}");
        }
    }
}

/// Projections advance independently.
#[tokio::test]
async fn an_unprojected_post_or_actor_has_no_text() {
    let app = App::start().await;
    let me = app.account(1).await;
    let (unknown, post) = (crate::app::account_id(77), Uuid::from_u128(7));
    app.notify(me, 1, unknown, Some(post), None).await;
    let page = app.get(me, "/v1/notifications").await;
    assert_eq!(
        page.body["items"][0]["actor"],
        json!({ "id": unknown, "handle": "", "display_name": "" })
    );
    assert_eq!(
        page.body["items"][0]["post"],
        json!({ "id": post, "text": "", "reply_to": null })
    );
}

#[tokio::test]
async fn notifications_about_muted_accounts_are_left_out_and_not_counted() {
    let app = App::start().await;
    let (me, loud, other) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    let (mut of_loud, mut of_other) = (Vec::new(), Vec::new());
    for at in 1..=20 {
        // Full pages, although most are by the muted account.
        let actor = if at % 4 == 0 { other } else { loud };
        let id = app.notify(me, at, actor, None, None).await;
        let list = if actor == loud {
            &mut of_loud
        } else {
            &mut of_other
        };
        list.insert(0, id);
    }
    app.read_notifications(me, of_other[3]).await;
    let all = app.get(me, "/v1/notifications?limit=100").await;
    assert_eq!(all.body["total"], 20);
    assert_eq!(all.body["unread_count"], 12);
    app.run(&format!(
        "INSERT INTO mutes VALUES ('{loud}', '{me}', now())"
    ))
    .await;
    // Another page size, because nothing announced the change.
    for limit in [1, 2, 4, 5, 6] {
        let page = app
            .get(me, &format!("/v1/notifications?limit={limit}"))
            .await;
        assert_eq!(page.body["total"], 5);
        assert_eq!(page.body["unread_count"], 3);
        assert_eq!(
            ids(&app.all(me, "/v1/notifications", limit).await),
            of_other
        );
    }
}
