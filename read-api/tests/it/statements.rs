//! How many statements a read takes: the bounds in the documentation of `endpoints`.

use feedmill_events::Tag;
use feedmill_tests::{
    endpoints,
    kit::{Role, reset_statement_counts, statement_counts},
};
use uuid::Uuid;

use crate::{app::App, nats::Announcer};

/// Statements since the counts were reset.
async fn count(app: &App) -> i64 {
    let counts = statement_counts(&app.pool, Role::ReadApi).await;
    counts.iter().map(|(calls, _)| calls).sum()
}

/// How many statements one read of `path` takes.
async fn statements_of(app: &App, viewer: Uuid, path: &str, status: u16) -> i64 {
    reset_statement_counts(&app.pool).await;
    assert_eq!(app.get(viewer, path).await.status, status, "{path}");
    count(app).await
}

/// The posts of a feed, and a read of every route with the status and the most statements of a cold cache.
struct World {
    /// All posts are pushed.
    viewer: Uuid,
    /// Only the newest ten posts are pushed, the others are below the floor.
    viewer_with_floor: Uuid,
    author: Uuid,
    posts: Vec<Uuid>,
}

impl World {
    async fn new(app: &App) -> Self {
        let (viewer, author) = (app.account(1).await, app.account(2).await);
        let viewer_with_floor = app.account(3).await;
        let mut posts = Vec::new();
        for n in 0..50 {
            posts.push(app.post(author, n, None).await);
        }
        for n in 0..30 {
            app.post(viewer, 100 + n, Some(posts[0])).await;
        }
        for follower in [viewer, viewer_with_floor] {
            app.follow(follower, author, 0).await;
            app.follow(author, follower, 0).await;
        }
        app.entries(viewer, &posts).await;
        app.entries(viewer_with_floor, &posts[40..]).await;
        app.floor(viewer_with_floor, posts[40]).await;
        app.bookmark(viewer, posts[0], 0).await;
        app.run(&format!(
            "INSERT INTO conversations VALUES ('{CONVERSATION}', NULL, 0, NULL);
             INSERT INTO members VALUES ('{viewer}', '{CONVERSATION}', '{CONVERSATION}', NULL, 0);
             INSERT INTO messages VALUES ('{CONVERSATION}', '{MESSAGE}', '{viewer}', 'text', now())"
        ))
        .await;
        Self {
            viewer,
            viewer_with_floor,
            author,
            posts,
        }
    }

    fn reads(&self) -> Vec<Read> {
        let (viewer, floor, other) = (self.viewer, self.viewer_with_floor, self.author);
        let [first, second] = [self.posts[0], self.posts[1]];
        let read = |viewer, path: &str, status, cold| Read {
            viewer,
            path: path.to_owned(),
            status,
            cold,
        };
        let one = |path: String| read(viewer, &path, 200, 1);
        let missing = |path: String| read(viewer, &path, 404, 1);
        vec![
            read(viewer, "/v1/feed", 200, 2),
            read(viewer, "/v1/feed?limit=100", 200, 2),
            read(floor, "/v1/feed", 200, 2),
            read(viewer, DIGEST, 200, 3),
            read(viewer, "/v1/digest?period=week&date=2024-04-13", 200, 3),
            read(floor, DIGEST, 200, 2),
            one("/v1/bookmarks".to_owned()),
            one("/v1/likes".to_owned()),
            one("/v1/conversations".to_owned()),
            one("/v1/notifications".to_owned()),
            one("/v1/counts".to_owned()),
            one(format!("/v1/conversations/{CONVERSATION}")),
            missing(format!("/v1/conversations/{other}")),
            one(format!("/v1/conversations/{CONVERSATION}/messages")),
            missing(format!("/v1/conversations/{other}/messages")),
            one(format!(
                "/v1/conversations/{CONVERSATION}/messages/{MESSAGE}"
            )),
            missing(format!("/v1/conversations/{other}/messages/{MESSAGE}")),
            one(format!("/v1/posts/{first}")),
            missing(format!("/v1/posts/{CONVERSATION}")),
            one(format!("/v1/posts/{first}/replies")),
            one(format!("/v1/posts/{second}/replies")),
            missing(format!("/v1/posts/{CONVERSATION}/replies")),
            one(format!("/v1/posts/{first}/ancestors")),
            missing(format!("/v1/posts/{CONVERSATION}/ancestors")),
            one(format!("/v1/posts/{first}/likes")),
            missing(format!("/v1/posts/{CONVERSATION}/likes")),
            one(format!("/v1/users/{other}")),
            one("/v1/users/@user2".to_owned()),
            missing("/v1/users/@nobody".to_owned()),
            one("/v1/users/@user2/posts".to_owned()),
            one("/v1/users/@user2/followers".to_owned()),
            one(format!("/v1/users/{other}/following")),
            one(format!("/v1/users/{viewer}/connections")),
            missing(format!("/v1/users/{other}/connections")),
            one("/v1/connections/requests?direction=incoming".to_owned()),
            one("/v1/connections/requests?direction=outgoing".to_owned()),
            one("/v1/tags".to_owned()),
            missing(format!("/v1/tags/{other}")),
            missing(format!("/v1/tags/{other}/members")),
            one(format!("/v1/users/{other}/tags")),
            one("/v1/mutes".to_owned()),
            one("/v1/blocks".to_owned()),
            one("/v1/me/posts".to_owned()),
            one("/v1/me/posts?as=public".to_owned()),
            one(format!("/v1/me/posts?as={other}")),
            missing(format!("/v1/me/posts?as={CONVERSATION}")),
            one(format!("/v1/relationships?id={other}")),
            one("/v1/me".to_owned()),
        ]
    }
}

const CONVERSATION: Uuid = Uuid::from_u128(7);
const MESSAGE: Uuid = Uuid::from_u128(8);
const DIGEST: &str = "/v1/digest?period=day&date=2024-04-13";

struct Read {
    viewer: Uuid,
    path: String,
    status: u16,
    /// The most statements with an empty cache.
    cold: i64,
}

/// Whether a path, without its query, is that of an endpoint.
fn is_path_of(endpoint: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (names, parts): (Vec<_>, Vec<_>) =
        (endpoint.split('/').collect(), path.split('/').collect());
    let mut pairs = names.iter().zip(&parts);
    names.len() == parts.len() && pairs.all(|(name, part)| name.starts_with('{') || name == part)
}

#[test]
fn the_reads_cover_every_endpoint_with_its_bound() {
    let world = World {
        viewer: Uuid::nil(),
        viewer_with_floor: Uuid::nil(),
        author: Uuid::nil(),
        posts: vec![Uuid::nil(); 2],
    };
    let reads = world.reads();
    for endpoint in endpoints::reads() {
        let of_endpoint = reads
            .iter()
            .filter(|read| is_path_of(endpoint.path, &read.path));
        let most = of_endpoint.map(|read| read.cold).max();
        assert_eq!(most, Some(endpoint.max_statements), "{}", endpoint.path);
    }
}

/// Asserts a number of statements. Counts again a few times: the server drops counters when it has too many, of all
/// databases together.
async fn assert_statements(
    app: &App,
    read: &Read,
    expected: i64,
    prepare: impl AsyncFn(),
    what: &str,
) {
    let mut counts = Vec::new();
    while counts.last() != Some(&expected) {
        prepare().await;
        counts.push(statements_of(app, read.viewer, &read.path, read.status).await);
        let path = &read.path;
        assert!(
            counts.len() < 4,
            "{path}, {what}: {counts:?} statements instead of {expected}"
        );
    }
}

#[tokio::test]
async fn without_the_cache_every_read_takes_one_statement() {
    let app = App::start().await;
    for read in World::new(&app).await.reads() {
        assert_statements(&app, &read, 1, async || {}, "cache bypassed").await;
    }
}

#[tokio::test]
async fn with_the_cache_every_read_takes_at_most_its_documented_statements() {
    let app = App::start().await;
    let world = World::new(&app).await;
    let _announcer = Announcer::of(&app).await;
    let versions = &app.state.tag_versions;
    for read in world.reads() {
        let invalidate = async || versions.invalidate_all();
        assert_statements(&app, &read, read.cold, invalidate, "cold").await;
        // Only answers with status 200 are cached.
        let warm = i64::from(read.status != 200);
        assert_statements(&app, &read, warm, async || {}, "warm").await;
    }
    // The answer is stale, its fragments are fresh.
    for (path, tag) in [
        ("/v1/feed", Tag::posts_of(world.viewer)),
        (DIGEST, Tag::digest(world.viewer)),
    ] {
        let read = Read {
            viewer: world.viewer,
            path: path.to_owned(),
            status: 200,
            cold: 1,
        };
        let stale = async || versions.mark_changed(&[tag]);
        assert_statements(&app, &read, 1, stale, "fresh fragments").await;
    }
}

/// The list of ids still has a post that is deleted before its fragment is read.
#[tokio::test]
async fn a_post_that_is_deleted_meanwhile_costs_one_more_statement() {
    let app = App::start().await;
    let world = World::new(&app).await;
    let _announcer = Announcer::of(&app).await;
    let versions = &app.state.tag_versions;
    let read = |path: &str, cold| Read {
        viewer: world.viewer,
        path: path.to_owned(),
        status: 200,
        cold,
    };
    // All scores are cached, then one post is deleted and a new one has no score yet.
    app.get(world.viewer, DIGEST).await;
    let newest = world.posts[49];
    app.run(&format!("DELETE FROM posts WHERE id = '{newest}'"))
        .await;
    let stale = async || {
        let unscored = app.post(world.author, 60, None).await;
        app.entries(world.viewer, &[unscored]).await;
        versions.mark_changed(&[
            Tag::digest(world.viewer),
            Tag::account_summary(world.author),
        ]);
    };
    for read in [read("/v1/feed", 3), read(DIGEST, 4)] {
        assert_statements(&app, &read, read.cold, stale, "deleted meanwhile").await;
    }
}

/// Also if the page could be assembled from fragments.
#[tokio::test]
async fn a_page_that_leads_back_takes_one_statement() {
    let app = App::start().await;
    let world = World::new(&app).await;
    let _announcer = Announcer::of(&app).await;
    let versions = &app.state.tag_versions;
    for read in world.reads() {
        let path = read.path.split('?').next().unwrap_or_default();
        let page = app.get(read.viewer, path).await.body;
        let Some(cursor) = page["prev_cursor"].as_str() else {
            continue;
        };
        let back = Read {
            path: format!("{path}?cursor={cursor}"),
            status: 200,
            ..read
        };
        let invalidate = async || versions.invalidate_all();
        assert_statements(&app, &back, 1, invalidate, "back").await;
    }
}

#[tokio::test]
async fn a_rejected_request_takes_no_statement() {
    let app = App::start().await;
    let viewer = app.account(1).await;
    reset_statement_counts(&app.pool).await;
    for path in [
        "/v1/feed?limit=0",
        "/v1/feed?cursor=x",
        "/v1/posts/x",
        "/v1/users/@",
        "/v1/digest?date=x",
        "/v1/x",
    ] {
        assert!(app.get(viewer, path).await.status.is_client_error());
    }
    assert_eq!(count(&app).await, 0);
}
