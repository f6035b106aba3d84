//! What a block hides.

use feedmill_events::Tag;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::{App, ids},
    audiences::PUBLIC,
    conversations::conversation,
    nats::Announcer,
};

impl App {
    /// A block with its cuts, in the tables that decide what the two see.
    pub async fn block(&self, blocker: Uuid, blocked: Uuid) {
        self.run(&format!(
            "INSERT INTO blocks VALUES ('{blocked}', '{blocker}', '2024-04-13T10:00:00Z');
             INSERT INTO feed_follows (author, viewer, links, blocks, blocked)
             VALUES ('{blocker}', '{blocked}', 0, true, false), ('{blocked}', '{blocker}', 0, false, true)
             ON CONFLICT (author, viewer) DO UPDATE SET links = 0, connected = false,
                blocks = feed_follows.blocks OR excluded.blocks, blocked = feed_follows.blocked OR excluded.blocked"
        ))
        .await;
    }
}

const LISTS: [&str; 5] = [
    "/posts",
    "/followers",
    "/following",
    "/connections",
    "/tags",
];

async fn assert_unknown(app: &App, viewer: Uuid, path: &str, unknown: &str) {
    let (mut hidden, mut unknown) = (app.get(viewer, path).await, app.get(viewer, unknown).await);
    assert_eq!(hidden.code(), (404, "not_found"), "{path}");
    for reply in [&mut hidden, &mut unknown] {
        reply.body["instance"] = Value::Null;
    }
    assert_eq!(hidden.body, unknown.body, "{path}");
}

#[tokio::test]
async fn to_the_blocked_the_blocker_does_not_exist() {
    let app = App::start().await;
    let (blocker, blocked) = (app.account(1).await, app.account(2).await);
    let post = app.post(blocker, 0, None).await;
    app.block(blocker, blocked).await;
    let nobody = Uuid::from_u128(7);
    for list in [&[""], &LISTS[..]].concat() {
        let unknown = format!("/v1/users/{nobody}{list}");
        let path = format!("/v1/users/{blocker}{list}");
        assert_unknown(&app, blocked, &path, &unknown).await;
        let (by_handle, nobody) = ("/v1/users/@user1", "/v1/users/@nobody");
        let (path, unknown) = (format!("{by_handle}{list}"), format!("{nobody}{list}"));
        assert_unknown(&app, blocked, &path, &unknown).await;
    }
    for end in ["", "/likes", "/replies", "/ancestors"] {
        let unknown = format!("/v1/posts/{nobody}{end}");
        assert_unknown(&app, blocked, &format!("/v1/posts/{post}{end}"), &unknown).await;
    }
    let path = format!("/v1/relationships?id={blocker}");
    assert_eq!(app.get(blocked, &path).await.body["items"], json!([]));
}

#[tokio::test]
async fn the_blocker_gets_a_bare_card_and_no_lists() {
    let app = App::start().await;
    let (blocker, blocked) = (app.account(1).await, app.account(2).await);
    app.run(&format!(
        "INSERT INTO account_counts VALUES ('{blocked}', 5, 6, 7); INSERT INTO post_counts VALUES ('{blocked}', 8)"
    ))
    .await;
    let post = app.post(blocked, 0, None).await;
    app.block(blocker, blocked).await;
    let path = format!("/v1/users/{blocked}");
    let card = json!({
        "id": blocked, "handle": "user2", "display_name": "User 2", "bio": "",
        "created_at": "2024-04-13T09:03:20.002Z", "followers_count": 0, "following_count": 0,
        "connections_count": 0, "posts_count": 0,
    });
    for path in [&path, "/v1/users/@user2"] {
        assert_eq!(app.get(blocker, path).await.body, card);
    }
    for list in LISTS {
        let list = format!("{path}{list}");
        assert_eq!(app.get(blocker, &list).await.status, 404, "{list}");
    }
    let path = format!("/v1/posts/{post}");
    assert_eq!(app.get(blocker, &path).await.status, 404);
    let path = format!("/v1/relationships?id={blocked}");
    let relationship = &app.get(blocker, &path).await.body["items"][0];
    assert_eq!(relationship["blocking"], true);
}

/// Each of two who block each other is the blocker.
#[tokio::test]
async fn both_blockers_see_each_other_in_their_lists_of_blocks() {
    let app = App::start().await;
    let (a, b) = (app.account(1).await, app.account(2).await);
    app.block(a, b).await;
    app.block(b, a).await;
    for (viewer, other) in [(a, b), (b, a)] {
        let blocks = app.get(viewer, "/v1/blocks").await.body;
        assert_eq!(blocks["total"], 1);
        assert_eq!(blocks["items"][0]["blocked_at"], "2024-04-13T10:00:00.000Z");
        assert_eq!(ids(&app.all(viewer, "/v1/blocks", 1).await), [other]);
        let path = format!("/v1/users/{other}");
        assert_eq!(app.get(viewer, &path).await.body["bio"], "");
    }
}

/// A viewer, somebody with a block with the viewer, and a third account.
struct Three {
    me: Uuid,
    other: Uuid,
    third: Uuid,
}

impl Three {
    async fn new(app: &App) -> Self {
        Self {
            me: app.account(1).await,
            other: app.account(2).await,
            third: app.account(3).await,
        }
    }

    /// In either direction.
    async fn block(&self, app: &App, by_me: bool) {
        app.run("TRUNCATE blocks; UPDATE feed_follows SET blocks = false, blocked = false")
            .await;
        if by_me {
            app.block(self.me, self.other).await;
        } else {
            app.block(self.other, self.me).await;
        }
    }
}

#[tokio::test]
async fn lists_of_accounts_are_without_the_other_but_count_them() {
    let app = App::start().await;
    let three = Three::new(&app).await;
    let Three { me, other, third } = three;
    for account in [me, other] {
        app.follow(account, third, 0).await;
        app.follow(third, account, 0).await;
    }
    let post = app.post(third, 0, None).await;
    app.counts(post, 2, 0).await;
    app.run(&format!(
        "INSERT INTO likes VALUES ('{post}', '{me}', now()), ('{post}', '{other}', now())"
    ))
    .await;
    for by_me in [true, false] {
        three.block(&app, by_me).await;
        for path in [
            format!("/v1/posts/{post}/likes"),
            format!("/v1/users/{third}/followers"),
            format!("/v1/users/{third}/following"),
        ] {
            let shown = app.get(me, &path).await.body;
            assert_eq!(shown["total"], 2, "{path}");
            assert_eq!(ids(&app.all(me, &path, 1).await), [me], "{path}");
        }
    }
}

#[tokio::test]
async fn a_thread_is_without_the_replies_of_the_other() {
    let app = App::start().await;
    let three = Three::new(&app).await;
    let Three { me, other, third } = three;
    let root = app.post(third, 0, None).await;
    let theirs = app.post(other, 1, Some(root)).await;
    let mine = app.post(third, 2, Some(theirs)).await;
    let answer = app.post(me, 3, Some(mine)).await;
    for by_me in [true, false] {
        three.block(&app, by_me).await;
        let path = format!("/v1/posts/{root}/replies");
        assert!(app.all(me, &path, 1).await.is_empty());
        let path = format!("/v1/posts/{answer}/ancestors");
        assert_eq!(ids(&app.all(me, &path, 1).await), [root, mine]);
    }
}

/// Also the replies of third parties, but for one's own.
#[tokio::test]
async fn a_block_with_the_author_of_the_root_hides_the_thread() {
    let app = App::start().await;
    let three = Three::new(&app).await;
    let Three { me, other, third } = three;
    let root = app.post(other, 0, None).await;
    app.share(root, PUBLIC, &[]).await;
    let reply = app.post(third, 1, Some(root)).await;
    let mine = app.post(me, 2, Some(reply)).await;
    for by_me in [true, false] {
        three.block(&app, by_me).await;
        for (post, status) in [(root, 404), (reply, 404), (mine, 200)] {
            let path = format!("/v1/posts/{post}");
            assert_eq!(app.get(me, &path).await.status, status);
        }
        let path = format!("/v1/users/{third}/posts");
        assert!(app.all(me, &path, 1).await.is_empty());
    }
}

#[tokio::test]
async fn notifications_by_the_other_are_neither_listed_nor_counted() {
    let app = App::start().await;
    let three = Three::new(&app).await;
    let Three { me, other, third } = three;
    let root = app.post(third, 0, None).await;
    let mine = app.post(me, 1, Some(root)).await;
    let reply = app.post(third, 2, Some(mine)).await;
    app.notify(me, 10, other, None, None).await;
    app.notify(me, 11, other, Some(mine), None).await;
    let shown = app.notify(me, 12, third, Some(mine), Some(reply)).await;
    for by_me in [true, false] {
        three.block(&app, by_me).await;
        let list = app.get(me, "/v1/notifications").await.body;
        assert_eq!(
            (&list["total"], &list["unread_count"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(ids(&app.all(me, "/v1/notifications", 1).await), [shown]);
        assert_eq!(app.get(me, "/v1/counts").await.body["notifications"], 1);
    }
}

#[tokio::test]
async fn a_reply_that_is_hidden_by_the_thread_is_no_notification() {
    let app = App::start().await;
    let Three { me, other, third } = Three::new(&app).await;
    let root = app.post(third, 0, None).await;
    let mine = app.post(me, 1, Some(root)).await;
    let reply = app.post(other, 2, Some(mine)).await;
    app.notify(me, 10, other, Some(mine), Some(reply)).await;
    let like = app.notify(me, 11, other, Some(mine), None).await;
    app.share(root, crate::audiences::ME, &[]).await;
    let list = app.get(me, "/v1/notifications").await.body;
    assert_eq!(
        (&list["total"], &list["unread_count"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(ids(&app.all(me, "/v1/notifications", 1).await), [like]);
}

#[tokio::test]
async fn a_conversation_of_the_two_counts_no_unread_messages_and_shows_no_mark() {
    let app = App::start().await;
    let three = Three::new(&app).await;
    let Three { me, other, third } = three;
    let (pair, _) = conversation(&app, 0, &[other, me], 2).await;
    let (group, _) = conversation(&app, 100, &[other, third, me], 3).await;
    app.run(&format!(
        "UPDATE conversations SET pair = true WHERE id = '{pair}';
         UPDATE members SET read_up_to = activity"
    ))
    .await;
    let marks = async |conversation: Uuid| {
        let path = format!("/v1/conversations/{conversation}");
        let members = app.get(me, &path).await.body["members"].clone();
        let members = members.as_array().unwrap().clone();
        let is_shown = |member: &Value| !member["read_up_to"].is_null();
        let shown: Vec<_> = members.into_iter().filter(is_shown).collect();
        ids(&shown)
    };
    for by_me in [true, false] {
        three.block(&app, by_me).await;
        assert_eq!(marks(pair).await, [me]);
        assert_eq!(marks(group).await.len(), 3);
        let inbox = app.get(me, "/v1/conversations").await.body;
        assert_eq!(inbox["unread_total"], 3);
        assert_eq!(ids(&app.all(me, "/v1/conversations", 1).await).len(), 2);
        assert_eq!(app.get(me, "/v1/counts").await.body["conversations"], 3);
    }
}

#[tokio::test]
async fn mutes_are_listed_whole() {
    let app = App::start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.run(&format!(
        "INSERT INTO mutes VALUES ('{other}', '{me}', now())"
    ))
    .await;
    app.block(other, me).await;
    assert_eq!(ids(&app.all(me, "/v1/mutes", 1).await), [other]);
}

#[tokio::test]
async fn a_block_changes_cached_answers_once_it_is_announced() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (blocker, blocked) = (app.account(1).await, app.account(2).await);
    let post = app.post(blocker, 0, None).await;
    for path in [format!("/v1/users/{blocker}"), format!("/v1/posts/{post}")] {
        app.run("TRUNCATE blocks, feed_follows").await;
        assert_eq!(app.get(blocked, &path).await.status, 200);
        assert!(app.hits(blocked, &path).await);
        app.block(blocker, blocked).await;
        let changed = [Tag::access(blocked)];
        announcer.announce_and_wait(&app, "feed", &changed).await;
        assert_eq!(app.get(blocked, &path).await.status, 404, "{path}");
    }
}
