//! One statement a read.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::app::App;

/// How often the service's statements like `pattern` were executed in the test's database. None where the
/// server does not load `pg_stat_statements`.
pub async fn calls(app: &App, pattern: &str) -> Option<i64> {
    count(app, "query LIKE $1", pattern).await
}

/// All statements, except the look at the checkpoints that a task of its own takes now and then.
async fn all_calls(app: &App) -> Option<i64> {
    count(app, "query NOT LIKE $1", "/* checkpoint.live */%").await
}

/// Starts counting anew, for the test's database alone.
async fn forget(app: &App) {
    app.run(
        "SELECT public.pg_stat_statements_reset(0, oid, 0) FROM pg_database \
         WHERE datname = current_database()",
    )
    .await;
}

async fn count(app: &App, condition: &str, pattern: &str) -> Option<i64> {
    let made = sqlx::query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")
        .execute(&app.pool)
        .await;
    let counted = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT coalesce(sum(calls), 0)::bigint FROM public.pg_stat_statements \
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND query NOT LIKE '%pg_stat_statements%' AND {condition}"
    )))
    .bind(pattern)
    .fetch_one(&app.pool)
    .await;
    let calls = made.and(counted).ok();
    if calls.is_none() {
        eprintln!("not tested: the server does not load pg_stat_statements");
    }
    calls
}

#[tokio::test]
async fn every_read_is_one_statement() {
    let app = App::start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    app.follow(other, me, 0).await;
    let mut posts = Vec::new();
    for n in 0..50 {
        posts.push(app.post(other, n, None).await);
    }
    for n in 0..30 {
        app.post(me, 100 + n, Some(posts[0])).await;
    }
    app.entries(me, &posts[40..]).await;
    app.floor(me, posts[40]).await;
    let talk = Uuid::from_u128(7);
    app.run(&format!(
        "INSERT INTO conversations VALUES ('{talk}', NULL, 0, NULL)"
    ))
    .await;
    app.run(&format!(
        "INSERT INTO members VALUES ('{me}', '{talk}', '{talk}', NULL, 0)"
    ))
    .await;

    let next = app.get(me, "/v1/feed").await.body["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    if all_calls(&app).await.is_none() {
        return;
    }
    let reads = [
        ("/v1/feed".to_owned(), 200),
        ("/v1/feed?limit=100".to_owned(), 200),
        (format!("/v1/feed?cursor={next}"), 200),
        ("/v1/digest?period=day&date=2024-04-13".to_owned(), 200),
        ("/v1/digest?period=week&date=2024-04-13".to_owned(), 200),
        ("/v1/conversations".to_owned(), 200),
        ("/v1/notifications".to_owned(), 200),
        (format!("/v1/conversations/{talk}/messages"), 200),
        (format!("/v1/conversations/{other}/messages"), 404),
        (format!("/v1/posts/{}", posts[0]), 200),
        (format!("/v1/posts/{talk}"), 404),
        (format!("/v1/posts/{}/replies", posts[0]), 200),
        (format!("/v1/posts/{}/replies", posts[1]), 200),
        (format!("/v1/posts/{talk}/replies"), 404),
        (format!("/v1/users/{other}"), 200),
        ("/v1/users/@user2".to_owned(), 200),
        ("/v1/users/@nobody".to_owned(), 404),
        ("/v1/users/@user2/posts".to_owned(), 200),
        ("/v1/users/@user2/followers".to_owned(), 200),
        (format!("/v1/users/{other}/following"), 200),
        ("/v1/me".to_owned(), 200),
    ];
    for (path, status) in &reads {
        let mut counts = Vec::new();
        // The server forgets statements when it has counted too many of all databases: ask again then.
        while counts.last() != Some(&1) {
            forget(&app).await;
            assert_eq!(app.get(me, path).await.status, *status, "{path}");
            counts.push(all_calls(&app).await.unwrap());
            assert!(counts.len() < 4, "{path} took {counts:?} statements");
        }
    }
}

#[tokio::test]
async fn what_is_refused_asks_the_database_nothing() {
    let app = App::start().await;
    let me = app.account(1).await;
    if all_calls(&app).await.is_none() {
        return;
    }
    forget(&app).await;
    for path in [
        "/v1/feed?limit=0",
        "/v1/feed?cursor=x",
        "/v1/posts/x",
        "/v1/users/@",
        "/v1/digest?date=x",
        "/v1/x",
    ] {
        assert!(app.get(me, path).await.status.is_client_error());
    }
    assert_eq!(all_calls(&app).await, Some(0));
}
