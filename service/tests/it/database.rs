//! The connection pool.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use feedmill_service::{Database, Problem, sql};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row,
    postgres::{PgConnectOptions, PgRow},
};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use crate::unresponsive::{become_unresponsive, proxy};

#[expect(clippy::disallowed_methods, reason = "tests have no command line")]
fn options() -> PgConnectOptions {
    std::env::var("DATABASE_URL")
        .expect("DATABASE_URL names a PostgreSQL for tests")
        .parse()
        .unwrap()
}

async fn one(database: &Database, expression: &str) -> sqlx::Result<i32> {
    let text = AssertSqlSafe(format!("SELECT {expression}"));
    let statement = sqlx::query(text).try_map(|row: PgRow| row.try_get::<i32, _>(0));
    database.one("test.one", statement).await
}

/// The server process of a connection.
async fn pid(database: &Database) -> i32 {
    one(database, "pg_backend_pid()").await.unwrap()
}

#[tokio::test]
async fn connections_that_the_server_closed_are_replaced() {
    let database = Database::new(options(), 2).unwrap();
    let mut admin = PgConnection::connect_with(&options()).await.unwrap();
    let (a, b) = tokio::join!(pid(&database), pid(&database));
    assert_ne!(a, b);
    assert!(
        [a, b].contains(&pid(&database).await),
        "connections are reused"
    );
    let end = format!("SELECT pg_terminate_backend({a}), pg_terminate_backend({b})");
    admin.execute(AssertSqlSafe(end)).await.unwrap();
    sleep(Duration::from_millis(1_100)).await;
    for _ in 0..4 {
        assert_eq!(one(&database, "1").await.unwrap(), 1);
    }
    // Not idle for long enough to be pinged: the statement fails, and the next one does not.
    let last = pid(&database).await;
    let end = format!("SELECT pg_terminate_backend({last})");
    admin.execute(AssertSqlSafe(end)).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let failed = one(&database, "1").await.unwrap_err();
    assert!(!matches!(failed, sqlx::Error::RowNotFound), "{failed}");
    sleep(Duration::from_millis(100)).await;
    assert_eq!(one(&database, "1").await.unwrap(), 1);
}

#[tokio::test]
async fn a_cancelled_statement_leaves_its_connection_usable_and_its_slot_taken() {
    let database = Database::new(options(), 1).unwrap();
    let before = pid(&database).await;
    for _ in 0..10 {
        let slow = one(&database, "1 FROM pg_sleep(0.05)");
        assert!(timeout(Duration::from_millis(10), slow).await.is_err());
        assert_eq!(one(&database, "2").await.unwrap(), 2);
    }
    assert_eq!(pid(&database).await, before);
    for (expression, error) in [("1 / 0", "22012"), ("no_such_thing", "42703")] {
        let failed = one(&database, expression).await.unwrap_err();
        assert_eq!(failed.into_database_error().unwrap().code().unwrap(), error);
    }
    assert_eq!(
        pid(&database).await,
        before,
        "an error does not close the connection"
    );
}

#[tokio::test]
async fn an_unresponsive_server_costs_no_slot() {
    let unresponsive = Arc::new(AtomicBool::new(false));
    let server = (options().get_host().to_owned(), options().get_port());
    let port = proxy(server, Arc::clone(&unresponsive)).await;
    let database = Database::new(options().host("127.0.0.1").port(port), 2).unwrap();
    let slow = || one(&database, "1 FROM pg_sleep(0.5)");
    become_unresponsive(&unresponsive, (0..2).map(|_| slow())).await;
    let full = one(&database, "1").await;
    assert!(matches!(full, Err(sqlx::Error::PoolTimedOut)), "{full:?}");
    sleep(Duration::from_millis(2_500)).await;
    for _ in 0..2 {
        assert_eq!(one(&database, "1").await.unwrap(), 1);
    }
}

#[tokio::test]
async fn connections_have_the_configured_settings() {
    let url = options().to_url_lossy();
    let options = sql::options(url.as_str(), "settings", Some("pg_catalog")).unwrap();
    let database = Database::new(options, 1).unwrap();
    for (name, value) in [
        ("application_name", "settings"),
        ("search_path", "pg_catalog"),
        ("statement_timeout", "15s"),
    ] {
        let matches = format!("1 WHERE current_setting('{name}') = '{value}'");
        assert_eq!(one(&database, &matches).await.unwrap(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back() {
    let database = Database::new(options(), 1).unwrap();
    let before = pid(&database).await;
    let mut connection = database.connection().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let slow = sqlx::query("CREATE TEMPORARY TABLE abandoned AS SELECT 1 FROM pg_sleep(0.05)")
        .execute(&mut *transaction);
    assert!(timeout(Duration::from_millis(10), slow).await.is_err());
    drop(transaction);
    drop(connection);
    let left = "count(*)::int FROM pg_class WHERE relname = 'abandoned' AND relpersistence = 't'";
    assert_eq!(one(&database, left).await.unwrap(), 0);
    assert_eq!(pid(&database).await, before);
}

#[tokio::test]
async fn an_unavailable_database_is_503() {
    let unavailable = "postgres://nobody@127.0.0.1:1/nothing".parse().unwrap();
    // A proxy without its database accepts connections and closes them.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    for options in [unavailable, options().host("127.0.0.1").port(port)] {
        let database = Database::new(options, 1).unwrap();
        let problem = Problem::from(one(&database, "1").await.unwrap_err());
        assert_eq!(
            (problem.status.as_u16(), problem.code),
            (503, "database_unavailable")
        );
        assert!(problem.retry_after.is_some());
    }
    let problem = Problem::from(sqlx::Error::RowNotFound);
    assert_eq!((problem.status.as_u16(), problem.code), (500, "internal"));
}
