//! How many statements a read takes, counted by PostgreSQL, in the default configuration.

use feedmill_tests::{
    client::Client,
    kit::{Stack, StackConfig, wait_until},
};
use sqlx::PgPool;

use crate::scene::{Request, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn reads_keep_to_their_bounds_of_statements() {
    let mut stack = Stack::start(StackConfig::default()).await;
    sqlx::query("CREATE EXTENSION pg_stat_statements")
        .execute(&stack.pool)
        .await
        .expect("pg_stat_statements: the test PostgreSQL needs it in shared_preload_libraries");
    let scene = Scene::create(&stack).await;
    let waiting = scene.alice(&stack);
    for read in scene.reads() {
        read.send(&waiting).await.expect(200);
    }
    for read in scene.reads() {
        // Nothing is cached in a new process.
        stack.read[0].restart().await;
        wait_until_caching(&stack.client_of(scene.bob)).await;
        let alice = stack.client_of(scene.alice);
        let bound = read.endpoint.max_statements;
        let cold = statements(&stack.pool, &alice, &read).await;
        assert!(
            !cold.is_empty() && count(&cold) <= bound,
            "{} with nothing cached: {cold:#?}, more than {bound}",
            read.path
        );
        let warm = statements(&stack.pool, &alice, &read).await;
        assert!(warm.is_empty(), "{}, cached: {warm:#?}", read.path);
    }
}

/// A page of which only a part is cached, in another process state than above: one instance, nothing restarted.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_cached_posts_keep_to_their_bounds_of_statements() {
    let stack = Stack::start(StackConfig::default()).await;
    sqlx::query("CREATE EXTENSION pg_stat_statements")
        .execute(&stack.pool)
        .await
        .expect("pg_stat_statements: the test PostgreSQL needs it in shared_preload_libraries");
    let scene = Scene::create(&stack).await;
    let waiting = scene.alice(&stack);
    for read in scene.reads() {
        read.send(&waiting).await.expect(200);
    }
    let alice = stack.client_of(scene.alice);
    wait_until_caching(&alice).await;
    for path in scene.lists() {
        for limit in [1, 2, 50] {
            let mut read = scene.request(endpoint_of(&scene, &path));
            read.path = format!("{path}?limit={limit}");
            let bound = read.endpoint.max_statements;
            let statements = statements(&stack.pool, &alice, &read).await;
            assert!(
                count(&statements) <= bound,
                "{} with cached posts: {statements:#?}, more than {bound}",
                read.path
            );
        }
    }
}

fn endpoint_of(scene: &Scene, path: &str) -> &'static feedmill_tests::endpoints::Endpoint {
    let mut lists = feedmill_tests::endpoints::lists();
    let found = lists.find(|endpoint| scene.request(endpoint).path == path);
    found.expect("a list with this path")
}

/// Waits until read-api receives announcements: before, it answers nothing from the cache.
async fn wait_until_caching(client: &Client) {
    wait_until("an answer from the cache", async || {
        let answer = client.get("/v1/me").await.expect(200);
        answer.header("x-cache") == Some("hit")
    })
    .await;
}

fn count(statements: &[(i64, String)]) -> i64 {
    statements.iter().map(|(calls, _)| calls).sum()
}

/// The statements that one read takes, and how often.
async fn statements(pool: &PgPool, client: &Client, read: &Request) -> Vec<(i64, String)> {
    let reset = "SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()";
    sqlx::query(reset)
        .execute(pool)
        .await
        .expect("a reset of the counters");
    read.send(client).await.expect(200);
    // Every statement of the service begins with its name; a task reads the checkpoints now and then.
    sqlx::query_as(
        "SELECT calls, query FROM pg_stat_statements
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND userid = 'feedmill_read'::regrole
           AND query LIKE '/* %' AND query NOT LIKE '/* checkpoint.%'",
    )
    .fetch_all(pool)
    .await
    .expect("the counters")
}
