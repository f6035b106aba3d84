//! The test kit itself.

use std::time::Duration;

use feedmill_events::Projection;
use feedmill_tests::{
    kit::{Database, Mode, Nats, Role, wait_until_within},
    oracle::tables,
};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

#[tokio::test]
async fn a_database_has_its_migrations_and_roles_and_is_dropped() {
    let (log, reads) = tokio::join!(Database::with_log(), Database::with_read_models());
    let url = log.url_as(Role::WriteApi);
    let mut writer = PgConnection::connect(&url).await.expect("a connection");
    let count = "SELECT count(*) FROM write.partitions";
    let partitions: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut writer)
        .await
        .expect("the partitions");
    assert_eq!(partitions, 64);
    let insert = "INSERT INTO write.partitions (id, head) VALUES (64, 0)";
    let refused = sqlx::query(insert).execute(&mut writer).await;
    assert!(refused.is_err(), "write-api may not add partitions");

    let url = reads.url_as(Role::ReadApi);
    let mut reader = PgConnection::connect(&url).await.expect("a connection");
    let posts = sqlx::query("SELECT FROM feed.posts").execute(&mut reader);
    posts.await.expect("the right to read");
    let delete = sqlx::query("DELETE FROM feed.posts").execute(&mut reader);
    assert!(delete.await.is_err(), "read-api may not write");
    for projection in Projection::ALL {
        let undefined = tables::undefined(projection, &reads.pool).await;
        assert!(
            undefined.is_empty(),
            "tests/src/oracle/tables.rs has no definition of {undefined:?} of {projection}"
        );
    }
    let url = reads.url();
    drop(reads);
    let gone = PgConnection::connect(&url).await;
    assert!(gone.is_err(), "the database is still there");
}

#[tokio::test]
async fn a_silent_connection_stays_silent_and_new_ones_pass() {
    let database = Database::empty().await;
    let proxy = database.proxy().await;
    let url = proxy.url(&database.url());
    let mut silenced = PgConnection::connect(&url).await.expect("a connection");
    proxy.set(Mode::Silent);
    let second = Duration::from_secs(1);
    assert!(timeout(second, silenced.ping()).await.is_err());
    proxy.set(Mode::Open);
    assert!(timeout(second, silenced.ping()).await.is_err());
    let mut new = PgConnection::connect(&url).await.expect("a connection");
    new.ping().await.expect("an answer");

    proxy.set(Mode::Hold);
    let mut held = Box::pin(new.ping());
    assert!(timeout(second, &mut held).await.is_err());
    proxy.set(Mode::Open);
    timeout(second, held)
        .await
        .expect("an answer in time")
        .expect("an answer");
    proxy.set(Mode::Cut);
    assert!(PgConnection::connect(&url).await.is_err());
}

#[tokio::test]
async fn nats_keeps_its_address_over_restarts() {
    let mut nats = Nats::absent();
    let client = nats.client().await;
    nats.launch().await;
    let connected = async || client.connection_state() == async_nats::connection::State::Connected;
    let limit = Duration::from_secs(20);
    wait_until_within("connected", limit, connected).await;
    nats.kill();
    nats.wipe();
    nats.launch().await;
    wait_until_within("connected again", limit, connected).await;
    let mut plain = Nats::without_jetstream().await;
    plain.restart().await;
}
