//! Promise 6: one query a read, counted by PostgreSQL itself.

use feedmill_tests::harness::{Plan, World};

use crate::scene::Scene;

/// How often each read is asked for: a statement that runs now and then would not come out even.
const TIMES: i64 = 7;

#[tokio::test(flavor = "multi_thread")]
async fn every_read_is_one_statement() {
    let world = World::start(Plan {
        environment: vec![("CACHE_MAX_BYTES".to_owned(), "0".to_owned())],
        ..Plan::default()
    })
    .await;
    let pool = &world.pool;
    sqlx::query("CREATE EXTENSION pg_stat_statements").execute(pool).await.expect(
        "pg_stat_statements: the test PostgreSQL needs shared_preload_libraries = 'pg_stat_statements'",
    );
    let scene = Scene::set(&world).await;
    let waiting = scene.client.with_token(&world.signer.token(scene.alice));
    // From here on without a position to wait for; what a connection asks when it is new is asked by then.
    for path in scene.reads() {
        waiting.get(&path).await.expect(200);
    }
    let alice = world.client_of(scene.alice);
    for path in scene.reads() {
        let answers = (0..32).map(|_| alice.get(&path));
        futures::future::join_all(answers).await;
    }
    for path in scene.reads() {
        sqlx::query("SELECT pg_stat_statements_reset(0, (SELECT oid FROM pg_database WHERE datname = current_database()), 0)")
            .execute(pool)
            .await
            .expect("a reset of the counters");
        for _ in 0..TIMES {
            alice.get(&path).await.expect(200);
        }
        let statements: Vec<(i64, String)> = sqlx::query_as(
            "SELECT calls, query FROM pg_stat_statements
             WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND userid = 'feedmill_read'::regrole",
        )
        .fetch_all(pool)
        .await
        .expect("the counters");
        // Not of a read: the service looks now and then how far the projector is.
        let background = |query: &str| query.starts_with("/* checkpoint.");
        let of_the_read: Vec<_> = statements
            .into_iter()
            .filter(|(_, query)| !background(query))
            .collect();
        let calls: i64 = of_the_read.iter().map(|(calls, _)| calls).sum();
        assert_eq!(
            calls, TIMES,
            "GET {path}, {TIMES} times, ran {of_the_read:#?}"
        );
        assert_eq!(of_the_read.len(), 1, "GET {path} ran {of_the_read:#?}");
    }
}
