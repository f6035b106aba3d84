use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use feedmill_service::{Problem, sql};
use sqlx::{ConnectOptions, Executor, PgPool, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

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
    let port = proxy(Arc::clone(&silent)).await;
    let url = options().host("127.0.0.1").port(port).to_url_lossy();
    let pool = sql::pool(url.as_str(), "silent", 2, None).await.unwrap();
    let sleeps = (0..2).map(|_| async {
        let slow = sqlx::query("SELECT pg_sleep(0.5)").execute(&pool);
        assert!(timeout(Duration::from_millis(300), slow).await.is_err());
    });
    let freeze = async {
        sleep(Duration::from_millis(200)).await;
        silent.store(true, Ordering::SeqCst);
    };
    futures::future::join(futures::future::join_all(sleeps), freeze).await;
    silent.store(false, Ordering::SeqCst);
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

/// Passes connections on to PostgreSQL. What is open while `silent` falls silent for ever, without closing.
async fn proxy(silent: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = (options().get_host().to_owned(), options().get_port());
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(server.clone()).await.unwrap();
            let (near, far) = (near.into_split(), far.into_split());
            tokio::spawn(pass(near.0, far.1, Arc::clone(&silent)));
            tokio::spawn(pass(far.0, near.1, Arc::clone(&silent)));
        }
    });
    port
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    silent: Arc<AtomicBool>,
) {
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            count = from.read(&mut buffer) => {
                let count = count.unwrap_or(0);
                if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
            () = sleep(Duration::from_millis(10)) => {}
        }
        if silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}
