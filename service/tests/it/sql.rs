use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use feedmill_service::{Problem, sql};
use sqlx::{ConnectOptions, Executor, PgPool, postgres::PgConnectOptions};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use crate::silent::{fall_silent, proxy};

#[expect(clippy::disallowed_methods, reason = "tests have no command line")]
fn options() -> PgConnectOptions {
    std::env::var("DATABASE_URL")
        .expect("DATABASE_URL names a PostgreSQL for tests")
        .parse()
        .unwrap()
}

async fn pool(name: &str, max: u32) -> PgPool {
    sql::pool(
        options().to_url_lossy().as_str(),
        name,
        max,
        Some("pg_catalog"),
    )
    .await
    .unwrap()
}

async fn one(pool: &PgPool) -> sqlx::Result<i32> {
    sql::named(
        "test.one",
        sqlx::query_scalar("/* test.one */ SELECT 1").fetch_one(pool),
    )
    .await
}

#[tokio::test]
async fn a_connection_has_its_settings() {
    let pool = pool("settings", 1).await;
    for (name, value) in [
        ("application_name", "settings"),
        ("search_path", "pg_catalog"),
        ("statement_timeout", "15s"),
    ] {
        let got: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(got, value);
    }
}

#[tokio::test]
async fn a_pool_recovers_from_a_server_that_ended_its_connections() {
    let (pool, admin) = (pool("ended", 4).await, pool("admin", 1).await);
    let all: Vec<_> = futures::future::join_all((0..4).map(|_| pool.acquire())).await;
    assert!(all.iter().all(Result::is_ok));
    drop(all);
    sleep(Duration::from_millis(200)).await;
    admin
        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ended'")
        .await
        .unwrap();
    sleep(Duration::from_millis(1_100)).await;
    for _ in 0..8 {
        assert_eq!(one(&pool).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_statement_that_was_cancelled_leaves_its_connection_sound() {
    let pool = pool("cancelled", 1).await;
    for _ in 0..20 {
        let slow = sqlx::query("SELECT pg_sleep(0.05)").execute(&pool);
        assert!(timeout(Duration::from_millis(10), slow).await.is_err());
        assert_eq!(one(&pool).await.unwrap(), 1);
    }
    let mut transaction = pool.begin().await.unwrap();
    let slow = sqlx::query("CREATE TEMPORARY TABLE abandoned AS SELECT 1 FROM pg_sleep(0.05)")
        .execute(&mut *transaction);
    assert!(timeout(Duration::from_millis(10), slow).await.is_err());
    drop(transaction);
    let left: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE relname = 'abandoned' AND relpersistence = 't'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_server_that_goes_silent_costs_no_place_in_the_pool() {
    let silent = Arc::new(AtomicBool::new(false));
    let server = (options().get_host().to_owned(), options().get_port());
    let port = proxy(server, Arc::clone(&silent)).await;
    let url = options().host("127.0.0.1").port(port).to_url_lossy();
    let pool = sql::pool(url.as_str(), "silent", 2, None).await.unwrap();
    let slow = || sqlx::query("SELECT pg_sleep(0.5)").execute(&pool);
    fall_silent(&silent, (0..2).map(|_| slow())).await;
    sleep(Duration::from_millis(5_500)).await;
    assert_eq!(one(&pool).await.unwrap(), 1);
    assert_eq!(one(&pool).await.unwrap(), 1);
}

#[tokio::test]
async fn a_database_that_is_away_is_503() {
    let url = "postgres://nobody@127.0.0.1:1/nothing";
    let pool = sql::pool(url, "away", 1, None).await.unwrap();
    let problem = Problem::from(one(&pool).await.unwrap_err());
    assert_eq!(
        (problem.status.as_u16(), problem.code),
        (503, "database_unavailable")
    );
    assert!(problem.retry_after.is_some());
    let problem = Problem::from(sqlx::Error::RowNotFound);
    assert_eq!((problem.status.as_u16(), problem.code), (500, "internal"));
}

#[tokio::test]
async fn a_proxy_whose_database_is_away_is_503() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let url = format!("postgres://nobody@127.0.0.1:{port}/nothing");
    let pool = sql::pool(&url, "away", 1, None).await.unwrap();
    let problem = Problem::from(one(&pool).await.unwrap_err());
    assert_eq!(
        (problem.status.as_u16(), problem.code),
        (503, "database_unavailable")
    );
}
