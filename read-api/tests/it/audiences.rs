//! Who sees posts of which audience.

use feedmill_events::Tag;
use feedmill_tests::kit::wait_until;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::{App, ids},
    audience_tags::tag,
    nats::Announcer,
};

pub const PUBLIC: i16 = 0;
pub const CONNECTIONS: i16 = 1;
pub const TAGS: i16 = 2;
pub const ME: i16 = 3;

impl App {
    /// Gives the thread of a root post an audience, as the projector does.
    pub async fn share(&self, root: Uuid, audience: i16, tags: &[Uuid]) {
        sqlx::query(
            "INSERT INTO audiences SELECT id, author, $2, $3 FROM posts WHERE id = $1
             ON CONFLICT (root) DO UPDATE SET audience = excluded.audience, tags = excluded.tags",
        )
        .bind(root)
        .bind(audience)
        .bind(tags)
        .execute(&self.pool)
        .await
        .unwrap();
        self.run(&format!(
            "UPDATE posts SET audience = a.audience, shared_with = shared_with(a.author, a.audience, a.tags)
             FROM audiences a WHERE a.root = id AND id = '{root}';
             UPDATE feed_entries SET shared_with = CASE author WHEN viewer THEN viewer ELSE posts.shared_with END
             FROM posts WHERE id = post_id AND id = '{root}';
             DELETE FROM tag_posts WHERE post = '{root}';
             INSERT INTO tag_posts SELECT unnest(a.tags), p.pulled, p.id
             FROM audiences a JOIN posts p ON p.id = a.root WHERE p.id = '{root}'"
        ))
        .await;
    }

    /// A connection, in the tables that decide what the two see.
    pub async fn connect(&self, a: Uuid, b: Uuid) {
        self.run(&format!(
            "INSERT INTO feed_follows AS f (author, viewer, links, connected)
             VALUES ('{a}', '{b}', 1, true), ('{b}', '{a}', 1, true)
             ON CONFLICT (author, viewer) DO UPDATE SET links = f.links + 1, connected = true"
        ))
        .await;
    }
}

/// An author with a post of each audience, oldest first: public, connections, tags and nobody. Each of the viewers sees one more.
struct Shared {
    author: Uuid,
    stranger: Uuid,
    connection: Uuid,
    member: Uuid,
    tag: Uuid,
    posts: Vec<Uuid>,
}

impl Shared {
    async fn new(app: &App) -> Self {
        let (author, stranger) = (app.account(1).await, app.account(2).await);
        let (connection, member) = (app.account(3).await, app.account(4).await);
        app.follow(stranger, author, 0).await;
        app.connect(author, connection).await;
        app.connect(author, member).await;
        let tag = tag(app, 1, author, &[member]).await;
        let mut posts = Vec::new();
        for audience in [PUBLIC, CONNECTIONS, TAGS, ME] {
            let post = app.post(author, i64::from(audience), None).await;
            let tags = if audience == TAGS { vec![tag] } else { vec![] };
            app.share(post, audience, &tags).await;
            posts.push(post);
        }
        Self {
            author,
            stranger,
            connection,
            member,
            tag,
            posts,
        }
    }

    /// With the number of posts that each sees.
    fn viewers(&self) -> [(Uuid, usize); 4] {
        [
            (self.stranger, 1),
            (self.connection, 2),
            (self.member, 3),
            (self.author, 4),
        ]
    }
}

#[tokio::test]
async fn a_hidden_post_is_as_one_that_never_existed() {
    let app = App::start().await;
    let shared = Shared::new(&app).await;
    for (viewer, visible) in shared.viewers() {
        let sees = |n: usize| n < visible;
        for (n, post) in shared.posts.iter().enumerate() {
            for end in ["", "/likes", "/replies", "/ancestors"] {
                let path = format!("/v1/posts/{post}{end}");
                let mut reply = app.get(viewer, &path).await;
                assert_eq!(reply.status == 200, sees(n), "{path}");
                if !sees(n) {
                    let unknown = format!("/v1/posts/{}{end}", Uuid::from_u128(7));
                    let mut unknown = app.get(viewer, &unknown).await;
                    for reply in [&mut reply, &mut unknown] {
                        reply.body["instance"] = Value::Null;
                    }
                    assert_eq!(reply.body, unknown.body, "{path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_list_leaves_out_hidden_posts() {
    let app = App::start().await;
    let shared = Shared::new(&app).await;
    for (viewer, visible) in shared.viewers() {
        app.entries(viewer, &shared.posts).await;
        for post in &shared.posts {
            app.bookmark(viewer, *post, 0).await;
            app.run(&format!(
                "INSERT INTO likes VALUES ('{post}', '{viewer}', '2024-04-13')"
            ))
            .await;
        }
        let mut newest_first = shared.posts[..visible].to_vec();
        newest_first.reverse();
        let of_author = format!("/v1/users/{}/posts", shared.author);
        for list in ["/v1/feed", "/v1/bookmarks", "/v1/likes", &of_author] {
            for limit in [1, 2, 4] {
                let listed = app.all(viewer, list, limit).await;
                let mut listed = ids(&listed);
                listed.sort_unstable_by(|a, b| b.cmp(a));
                assert_eq!(listed, newest_first, "{list}, pages of {limit}");
            }
        }
        let digest = app.get(viewer, "/v1/digest?period=day&date=2024-04-13");
        let digest = digest.await.body;
        assert_eq!(digest["counters"]["posts"], visible);
        assert_eq!(ids(digest["top_posts"].as_array().unwrap()), newest_first);
        let unread = if viewer == shared.author { 0 } else { visible };
        for (path, field) in [("/v1/feed", "unread_count"), ("/v1/counts", "feed")] {
            assert_eq!(app.get(viewer, path).await.body[field], unread, "{path}");
        }
    }
}

#[tokio::test]
async fn only_the_author_is_told_the_audience_and_its_tags() {
    let app = App::start().await;
    let shared = Shared::new(&app).await;
    let reply = app.post(shared.member, 9, Some(shared.posts[2])).await;
    let expected = [
        (
            shared.posts[1],
            json!(["connections", null]),
            json!(["connections", null]),
        ),
        (
            shared.posts[2],
            json!(["tags", [shared.tag]]),
            json!(["limited", null]),
        ),
        (
            reply,
            json!(["tags", [shared.tag]]),
            json!(["limited", null]),
        ),
    ];
    for (post, of_author, of_member) in expected {
        for (viewer, expected) in [(shared.author, of_author), (shared.member, of_member)] {
            let seen = app.get(viewer, &format!("/v1/posts/{post}")).await.body;
            assert_eq!(json!([seen["audience"], seen["tags"]]), expected);
        }
    }
}

#[tokio::test]
async fn a_deleted_root_keeps_its_audience_for_the_replies() {
    let app = App::start().await;
    let shared = Shared::new(&app).await;
    let root = shared.posts[2];
    let reply = app.post(shared.member, 9, Some(root)).await;
    app.run(&format!("DELETE FROM posts WHERE id = '{root}'"))
        .await;
    let (path, list) = (
        format!("/v1/posts/{reply}"),
        format!("/v1/posts/{root}/replies"),
    );
    for (viewer, status) in [
        (shared.author, 200),
        (shared.member, 200),
        (shared.connection, 404),
    ] {
        assert_eq!(app.get(viewer, &path).await.status, status);
        assert_eq!(app.get(viewer, &list).await.status, status);
    }
}

/// Who has replied sees the reply, without what it answers.
#[tokio::test]
async fn an_own_reply_stays_visible_without_its_thread() {
    let app = App::start().await;
    let shared = Shared::new(&app).await;
    let reply = app.post(shared.stranger, 9, Some(shared.posts[3])).await;
    let path = format!("/v1/posts/{reply}");
    assert_eq!(app.get(shared.stranger, &path).await.status, 200);
    let ancestors = app.get(shared.stranger, &format!("{path}/ancestors")).await;
    assert_eq!(ancestors.body["items"], json!([]));
    assert_eq!(app.get(shared.connection, &path).await.status, 404);
}

#[tokio::test]
async fn an_answer_without_posts_changes_with_the_audience_of_the_thread() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let shared = Shared::new(&app).await;
    let root = shared.posts[3];
    let reply = app.post(shared.stranger, 9, Some(root)).await;
    let answer = app.post(shared.connection, 10, Some(reply)).await;
    for (end, shown) in [("ancestors", root), ("replies", answer)] {
        let path = format!("/v1/posts/{reply}/{end}");
        app.share(root, ME, &[]).await;
        assert_eq!(
            app.get(shared.stranger, &path).await.body["items"],
            json!([])
        );
        assert!(app.hits(shared.stranger, &path).await);
        app.share(root, PUBLIC, &[]).await;
        let changed = [Tag::post(root), Tag::audience(root), Tag::any_audience()];
        announcer.announce_and_wait(&app, "feed", &changed).await;
        let after = app.get(shared.stranger, &path).await.body;
        assert_eq!(ids(after["items"].as_array().unwrap()), [shown], "{path}");
    }
}

/// Of a viewer with a follow, a connection, and a connection whose two tags share posts. Returns the visible ones, newest first.
async fn mixed_feed(app: &App) -> (Uuid, Vec<Uuid>, Vec<Uuid>) {
    let viewer = app.account(1).await;
    let [followed, connected, sharing] = [
        app.account(2).await,
        app.account(3).await,
        app.account(4).await,
    ];
    app.follow(viewer, followed, 0).await;
    app.connect(viewer, connected).await;
    app.connect(viewer, sharing).await;
    let mut tags = Vec::new();
    for n in 1..=3 {
        let members = if n < 3 { vec![viewer] } else { vec![] };
        tags.push(tag(app, n, sharing, &members).await);
    }
    let (mut posts, mut visible) = (Vec::new(), Vec::new());
    for n in 0..80_i64 {
        let author =
            [viewer, followed, connected, sharing][usize::try_from(n * n % 7 % 4).unwrap()];
        let post = app.post(author, n * 1_000, None).await;
        posts.push(post);
        let (audience, shared_with, is_visible) = match n % 8 {
            0 | 1 => (PUBLIC, &tags[..0], true),
            2 | 3 => (CONNECTIONS, &tags[..0], author != followed),
            4 if author == sharing => (TAGS, &tags[..2], true),
            5 if author == sharing => (TAGS, &tags[1..], true),
            6 if author == sharing => (TAGS, &tags[2..], false),
            _ => (ME, &tags[..0], author == viewer),
        };
        if n % 8 != 0 {
            app.share(post, audience, shared_with).await;
        }
        if is_visible {
            visible.push(post);
        }
    }
    posts.reverse();
    visible.reverse();
    (viewer, posts, visible)
}

async fn pull(app: &App, author: u64) {
    let author = crate::app::account_id(author);
    app.run(&format!(
        "UPDATE posts SET pulled = true WHERE author = '{author}';
         UPDATE tag_posts SET pulled = true WHERE post IN (SELECT id FROM posts WHERE pulled);
         INSERT INTO pulled_authors SELECT author, count(*) FROM posts WHERE author = '{author}' GROUP BY 1"
    ))
    .await;
}

async fn assert_pages_are_full(app: &App, viewer: Uuid, posts: &[Uuid], visible: &[Uuid]) {
    for depth in [1, 20, 45, posts.len()] {
        let depth = depth.min(posts.len());
        app.run("DELETE FROM feed_entries; DELETE FROM feed_floors")
            .await;
        app.entries(viewer, &posts[..depth]).await;
        app.run("DELETE FROM feed_entries USING posts WHERE id = post_id AND pulled")
            .await;
        if depth < posts.len() {
            app.floor(viewer, posts[depth - 1]).await;
        }
        for limit in [1, 6, 19, 100] {
            let pages = app.all(viewer, "/v1/feed", limit).await;
            assert_eq!(ids(&pages), visible, "depth {depth}, pages of {limit}");
        }
    }
}

#[tokio::test]
async fn pages_are_full_wherever_the_floor_is() {
    let app = App::start().await;
    let (viewer, posts, visible) = mixed_feed(&app).await;
    assert_pages_are_full(&app, viewer, &posts, &visible).await;
}

#[tokio::test]
async fn pages_are_full_with_pulled_authors() {
    let app = App::start().await;
    let (viewer, posts, visible) = mixed_feed(&app).await;
    for author in [4, 2, 1] {
        pull(&app, author).await;
        assert_pages_are_full(&app, viewer, &posts, &visible).await;
    }
}

#[tokio::test]
async fn posts_are_unread_once_if_two_tags_share_them() {
    let app = App::start().await;
    let (viewer, posts, visible) = mixed_feed(&app).await;
    let own = "SELECT count(*) FROM posts WHERE author = $1";
    let own = sqlx::query_scalar::<_, i64>(own).bind(viewer);
    let own = own.fetch_one(&app.pool).await.unwrap();
    let unread = visible.len() - usize::try_from(own).unwrap();
    for author in [None, Some(4)] {
        if let Some(author) = author {
            pull(&app, author).await;
        }
        assert_pages_are_full(&app, viewer, &posts, &visible).await;
        app.floor(viewer, posts[20]).await;
        for (path, field) in [("/v1/feed", "unread_count"), ("/v1/counts", "feed")] {
            assert_eq!(app.get(viewer, path).await.body[field], unread, "{path}");
        }
        app.run("DELETE FROM feed_floors").await;
    }
}

#[tokio::test]
async fn a_post_that_becomes_limited_leaves_cached_answers() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (author, viewer) = (app.account(1).await, app.account(2).await);
    app.follow(viewer, author, 0).await;
    let post = app.post(author, 0, None).await;
    app.entries(viewer, &[post]).await;
    app.bookmark(viewer, post, 0).await;
    let of_author = format!("/v1/users/{author}/posts");
    for list in ["/v1/feed", "/v1/bookmarks", &of_author] {
        app.share(post, PUBLIC, &[]).await;
        assert_eq!(ids(&app.all(viewer, list, 20).await), [post], "{list}");
        app.share(post, ME, &[]).await;
        let changed = [
            Tag::post(post),
            Tag::posts_of(author),
            Tag::audience(post),
            Tag::any_audience(),
        ];
        announcer.announce_and_wait(&app, "feed", &changed).await;
        assert!(app.all(viewer, list, 20).await.is_empty(), "{list}");
    }
}

#[tokio::test]
async fn fragments_of_limited_posts_are_for_those_who_see_them() {
    let app = App::with_caches(0, 1 << 26).await;
    let announcer = Announcer::of(&app).await;
    let shared = Shared::new(&app).await;
    for (viewer, _) in shared.viewers() {
        app.entries(viewer, &shared.posts).await;
    }
    let changed: Vec<Tag> = shared.posts.iter().copied().map(Tag::post).collect();
    let posts = async |viewer: Uuid, path: &str| {
        let body = app.get(viewer, path).await.body;
        let posts = body.get("items").unwrap_or(&body["top_posts"]);
        posts.as_array().unwrap().clone()
    };
    for path in ["/v1/feed", "/v1/digest?period=day&date=2024-04-13"] {
        for text in ["old", "new"] {
            app.run(&format!("UPDATE posts SET text = '{text}'")).await;
            announcer.announce("feed", &changed).await;
            let is_new = async |viewer| posts(viewer, path).await[0]["text"] == text;
            wait_until("the change", async || is_new(shared.member).await).await;
            // The second time from fragments.
            for (viewer, visible) in [shared.viewers(), shared.viewers()].into_iter().flatten() {
                let posts = posts(viewer, path).await;
                assert_eq!(posts.len(), visible, "{path}");
                assert!(posts.iter().all(|post| post["text"] == text), "{path}");
                let says_tags = posts.iter().any(|post| post["audience"] == "tags");
                assert_eq!(says_tags, viewer == shared.author);
            }
        }
        app.run("UPDATE posts SET text = 'not announced'").await;
        for (viewer, text) in [(shared.member, "new"), (shared.author, "not announced")] {
            let posts = posts(viewer, path).await;
            let limited = posts.iter().find(|post| post["audience"] != "public");
            assert_eq!(limited.unwrap()["text"], text, "{path}");
        }
    }
}
