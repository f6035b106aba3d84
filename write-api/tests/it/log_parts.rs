//! The function that adds parts to the log.

use feedmill_tests::kit::{Database, Role};
use sqlx::{Connection, PgConnection, PgPool};

const FIRST_BOUND: i64 = 2_000_000;

/// The log has so many events in a partition, of which only the last one is there.
async fn grow_to(pool: &PgPool, seq: i64) {
    sqlx::query("UPDATE write.partitions SET head = $1 WHERE id = 0")
        .bind(seq)
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("INSERT INTO write.events (partition, seq, type, at, body) VALUES (0, $1, 'post.created', now(), '')")
        .bind(seq)
        .execute(pool)
        .await
        .unwrap();
}

async fn add(connection: &mut PgConnection, size: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT write.add_log_part($1)")
        .bind(size)
        .fetch_one(connection)
        .await
}

/// The bounds of the parts, without that for the rest.
async fn bounds(pool: &PgPool) -> Vec<(Option<i64>, i64)> {
    sqlx::query_as(
        "SELECT lower, upper FROM write.log_parts WHERE upper IS NOT NULL ORDER BY upper",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_part_is_added_ahead_and_also_behind_what_is_in_the_rest() {
    let database = Database::with_log().await;
    let pool = &database.pool;
    let mut write_api = PgConnection::connect(&database.url_as(Role::WriteApi))
        .await
        .unwrap();
    assert!(add(&mut write_api, 10).await.unwrap());
    assert!(
        !add(&mut write_api, 10).await.unwrap(),
        "there is one ahead"
    );
    grow_to(pool, FIRST_BOUND + 5).await;
    assert!(add(&mut write_api, 10).await.unwrap());
    let first = (None, FIRST_BOUND);
    let part = |lower| (Some(lower), lower + 10);
    let two = [first, part(FIRST_BOUND), part(FIRST_BOUND + 10)];
    assert_eq!(bounds(pool).await, two);

    // write-api was away for longer than a part lasts.
    grow_to(pool, FIRST_BOUND + 25).await;
    assert!(add(&mut write_api, 10).await.unwrap());
    assert!(!add(&mut write_api, 10).await.unwrap());
    let behind = part(FIRST_BOUND + 35);
    assert_eq!(bounds(pool).await, [&two[..], &[behind]].concat());
    for seq in [30, 36] {
        grow_to(pool, FIRST_BOUND + seq).await;
    }
    let rest: Vec<i64> = sqlx::query_scalar("SELECT seq FROM write.events_rest ORDER BY seq")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(rest, [FIRST_BOUND + 25, FIRST_BOUND + 30]);
    assert!(add(&mut write_api, 10).await.unwrap());

    for size in [0, -1, i64::MAX] {
        assert!(add(&mut write_api, size).await.is_err(), "{size}");
    }
    let mut read_api = PgConnection::connect(&database.url_as(Role::ReadApi))
        .await
        .unwrap();
    assert!(add(&mut read_api, 10).await.is_err());
}
