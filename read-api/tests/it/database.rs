//! The connections that reads share.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use read_api::Database;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row,
    postgres::{PgConnectOptions, PgRow},
};
use tokio::time::{sleep, timeout};

use crate::{
    app::server,
    silent::{fall_silent, proxy},
};

fn options() -> PgConnectOptions {
    server().parse().unwrap()
}

async fn one(database: &Database, expression: &str) -> sqlx::Result<i32> {
    let text = AssertSqlSafe(format!("SELECT {expression}"));
    let statement = sqlx::query(text).try_map(|row: PgRow| row.try_get::<i32, _>(0));
    database.one("test.one", statement).await
}

/// Its process on the server.
async fn pid(database: &Database) -> i32 {
    one(database, "pg_backend_pid()").await.unwrap()
}

#[tokio::test]
async fn connections_that_the_server_ended_are_made_anew() {
    let database = Database::new(&server(), 2).unwrap();
    let mut admin = PgConnection::connect_with(&options()).await.unwrap();
    let (a, b) = tokio::join!(pid(&database), pid(&database));
    assert_ne!(a, b);
    assert!(
        [a, b].contains(&pid(&database).await),
        "they are used again"
    );
    let end = format!("SELECT pg_terminate_backend({a}), pg_terminate_backend({b})");
    admin.execute(AssertSqlSafe(end)).await.unwrap();
    sleep(Duration::from_millis(1_100)).await;
    for _ in 0..4 {
        assert_eq!(one(&database, "1").await.unwrap(), 1);
    }
    // Not idle for long enough to be asked: the statement fails, and the next one does not.
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
async fn a_statement_that_was_given_up_leaves_its_connection_sound_and_its_place_taken() {
    let database = Database::new(&server(), 1).unwrap();
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
    assert_eq!(pid(&database).await, before, "an error is an answer");
}

#[tokio::test]
async fn a_server_that_goes_silent_costs_no_place() {
    let silent = Arc::new(AtomicBool::new(false));
    let place = (options().get_host().to_owned(), options().get_port());
    let port = proxy(place, Arc::clone(&silent)).await;
    let url = options().host("127.0.0.1").port(port).to_url_lossy();
    let database = Database::new(url.as_str(), 2).unwrap();
    let slow = || one(&database, "1 FROM pg_sleep(0.5)");
    fall_silent(&silent, (0..2).map(|_| slow())).await;
    let full = one(&database, "1").await;
    assert!(matches!(full, Err(sqlx::Error::PoolTimedOut)), "{full:?}");
    sleep(Duration::from_millis(2_500)).await;
    for _ in 0..2 {
        assert_eq!(one(&database, "1").await.unwrap(), 1);
    }
}
