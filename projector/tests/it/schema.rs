//! The schemas, and who may do what with them.

use projector::{projection, schema};

use crate::support::database::Database;

#[tokio::test]
async fn schemas_are_made_once_by_however_many_start_together() {
    let database = Database::bare().await;
    let all = projection::ALL.iter().map(async |projection| {
        let pool = database.pool(projection);
        let mut db = pool.acquire().await.unwrap();
        schema::prepare(&mut db, &projection::ALL).await
    });
    for result in futures::future::join_all(all).await {
        result.unwrap();
    }
    let laid: i64 = sqlx::query_scalar("SELECT count(*) FROM projector.laid_migrations")
        .fetch_one(&database.admin)
        .await
        .unwrap();
    let all: usize = projection::ALL.iter().map(|p| p.migrations.len()).sum();
    assert_eq!(
        usize::try_from(laid).unwrap(),
        all + schema::BOOKS_MIGRATIONS.len()
    );
}

#[tokio::test]
async fn the_reader_may_read_and_the_projector_may_not_write_the_log() {
    let database = Database::new().await;
    let reader = |sql: &'static str| {
        let admin = database.admin.clone();
        async move {
            let mut tx = admin.begin().await.unwrap();
            sqlx::raw_sql("SET LOCAL ROLE feedmill_read")
                .execute(&mut *tx)
                .await
                .unwrap();
            sqlx::raw_sql(sql).execute(&mut *tx).await.map(drop)
        }
    };
    for table in [
        "feed.posts",
        "profiles.accounts",
        "digest.digest_days",
        "conversations.members",
        "notifications.notifications",
    ] {
        let sql = format!("SELECT has_table_privilege('feedmill_read', '{table}', 'SELECT')
            AND NOT has_table_privilege('feedmill_read', '{table}', 'INSERT, UPDATE, DELETE, TRUNCATE')");
        let sound: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&database.admin)
            .await
            .unwrap();
        assert!(sound, "{table}");
    }
    reader("SELECT * FROM projector.checkpoints").await.unwrap();
    assert!(reader("SELECT * FROM write.events").await.is_err());
    let pool = database.pool(projection::ALL[0]);
    assert!(
        sqlx::query("UPDATE write.partitions SET head = 1")
            .execute(&pool)
            .await
            .is_err()
    );
    assert!(
        sqlx::query("DELETE FROM write.events")
            .execute(&pool)
            .await
            .is_err()
    );
}
