//! The connection pool.

use std::time::Duration;

use feedmill_service::{Database, Problem, problem::codes, sql};
use feedmill_tests::kit::{self, Mode, wait_until};
use futures::future::join;
use sqlx::{AssertSqlSafe, Connection, Row, postgres::PgRow};
use tokio::time::{sleep, timeout};

/// A database of the test's own, and a pool of so many connections.
async fn pool(connections: usize) -> (kit::Database, Database) {
    let server = kit::Database::empty().await;
    let pool = Database::new(server.options(), connections).unwrap();
    (server, pool)
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

/// Cancels a statement of 300 ms while the server executes it.
async fn cancel<T: std::fmt::Debug>(statement: impl Future<Output = T>) {
    let cancelled = timeout(Duration::from_millis(20), statement).await;
    assert!(cancelled.is_err(), "{cancelled:?}");
}

/// Ends server processes, and waits until they have ended.
async fn terminate(server: &kit::Database, pids: &[i32]) {
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM unnest($1) AS pid";
    let end = sqlx::query_scalar(end).bind(pids);
    let ended: Vec<bool> = end.fetch_all(&server.pool).await.unwrap();
    assert_eq!(ended, vec![true; pids.len()]);
}

#[tokio::test]
async fn connections_that_the_server_closed_are_replaced() {
    let (server, database) = pool(2).await;
    let (a, b) = join(pid(&database), pid(&database)).await;
    assert_ne!(a, b);
    let reused = pid(&database).await;
    assert!([a, b].contains(&reused), "connections are reused");
    terminate(&server, &[a, b]).await;
    // Idle for long enough to be pinged.
    sleep(Duration::from_millis(1_100)).await;
    for _ in 0..4 {
        assert_eq!(one(&database, "1").await.unwrap(), 1);
    }
    // Not idle for long enough: the statement fails, and the next one does not.
    let last = pid(&database).await;
    terminate(&server, &[last]).await;
    let failed = one(&database, "1").await.unwrap_err();
    assert!(!matches!(failed, sqlx::Error::RowNotFound), "{failed}");
    assert_eq!(one(&database, "1").await.unwrap(), 1);
}

#[tokio::test]
async fn a_cancelled_statement_leaves_its_connection_usable_and_its_slot_taken() {
    let (_server, database) = pool(1).await;
    let before = pid(&database).await;
    for _ in 0..3 {
        cancel(one(&database, "1 FROM pg_sleep(0.3)")).await;
        assert_eq!(one(&database, "2").await.unwrap(), 2);
    }
    assert_eq!(pid(&database).await, before);
    for (expression, error) in [("1 / 0", "22012"), ("no_such_thing", "42703")] {
        let failed = one(&database, expression).await.unwrap_err();
        assert_eq!(failed.into_database_error().unwrap().code().unwrap(), error);
    }
    let after = pid(&database).await;
    assert_eq!(after, before, "an error does not close the connection");
}

#[tokio::test]
async fn an_unresponsive_server_costs_no_slot() {
    let server = kit::Database::empty().await;
    let proxy = server.proxy().await;
    let options = proxy.url(&server.url()).parse().unwrap();
    let database = Database::new(options, 2).unwrap();
    let slow = || one(&database, "1 FROM pg_sleep(60)");
    let silence = async {
        wait_until("the server executes both statements", async || {
            let running = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event = 'PgSleep'";
            let running = sqlx::query_scalar::<_, i64>(running);
            running.fetch_one(&server.pool).await.unwrap() == 2
        })
        .await;
        proxy.set(Mode::Silent);
    };
    tokio::select! {
        ended = join(slow(), slow()) => panic!("{ended:?}"),
        () = silence => {}
    }
    let full = one(&database, "1").await;
    assert!(matches!(full, Err(sqlx::Error::PoolTimedOut)), "{full:?}");
    proxy.set(Mode::Open);
    wait_until("both slots are free", async || {
        let both = join(
            one(&database, "pg_backend_pid()"),
            one(&database, "pg_backend_pid()"),
        );
        matches!(both.await, (Ok(a), Ok(b)) if a != b)
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_does_not_find_a_table_is_replaced() {
    let (_server, database) = pool(1).await;
    let first = pid(&database).await;
    one(&database, "1 / 0").await.unwrap_err();
    assert_eq!(pid(&database).await, first);
    one(&database, "1 FROM missing").await.unwrap_err();
    assert_ne!(pid(&database).await, first);
}

#[tokio::test]
async fn connections_have_the_configured_settings() {
    let server = kit::Database::empty().await;
    let options = sql::options(&server.url(), "settings", Some("pg_catalog")).unwrap();
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
    let (_server, database) = pool(1).await;
    let before = pid(&database).await;
    let mut connection = database.connection().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let slow = sqlx::query("CREATE TABLE abandoned AS SELECT 1 FROM pg_sleep(0.3)");
    cancel(slow.execute(&mut *transaction)).await;
    drop(transaction);
    drop(connection);
    let left = "count(*)::int FROM pg_class WHERE relname = 'abandoned'";
    assert_eq!(one(&database, left).await.unwrap(), 0);
    assert_eq!(pid(&database).await, before);
}

#[tokio::test]
async fn an_unavailable_database_is_503() {
    let server = kit::Database::empty().await;
    // Accepts connections and closes them, as a proxy does whose server is down.
    let proxy = server.proxy().await;
    proxy.set(Mode::Cut);
    for url in [
        "postgres://nobody@127.0.0.1:1/nothing",
        &proxy.url(&server.url()),
    ] {
        let database = Database::new(url.parse().unwrap(), 1).unwrap();
        let problem = Problem::from(one(&database, "1").await.unwrap_err());
        assert_eq!(problem.code, codes::DATABASE_UNAVAILABLE);
        assert!(problem.retry_after.is_some());
    }
    let problem = Problem::from(sqlx::Error::RowNotFound);
    assert_eq!(problem.code, codes::INTERNAL);
}
