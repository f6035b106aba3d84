//! The schemas and their privileges.

use std::collections::BTreeSet;

use projector::{migrations, projection, schema};

use crate::support::database::Database;

#[tokio::test]
async fn instances_that_start_together_create_the_schemas_once() {
    let database = Database::with_log().await;
    let all = projection::ALL.iter().map(async |projection| {
        let pool = database.pool_of(projection);
        let mut db = pool.acquire().await.unwrap();
        schema::prepare(&mut db, &projection::ALL).await
    });
    for result in futures::future::join_all(all).await {
        result.unwrap();
    }
    let laid: i64 = sqlx::query_scalar("SELECT count(*) FROM projector.laid_migrations")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    let all: usize = migrations::ALL.iter().map(|(_, files)| files.len()).sum();
    assert_eq!(usize::try_from(laid).unwrap(), all);
}

#[test]
fn every_folder_of_migrations_is_a_projection_or_the_control_schema() {
    let folders: BTreeSet<&str> = migrations::ALL.iter().map(|(name, _)| *name).collect();
    let projections = projection::ALL.iter().map(|projection| projection.name());
    let schemas: BTreeSet<&str> = projections.chain([schema::CONTROL_SCHEMA]).collect();
    assert_eq!(folders, schemas);
    for projection in projection::ALL {
        let (_, files) = migrations::ALL
            .iter()
            .find(|(name, _)| *name == projection.name())
            .unwrap();
        let names = |files: &[migrations::Migration]| -> Vec<&str> {
            files.iter().map(|file| file.name).collect()
        };
        assert_eq!(names(projection.migrations), names(files));
    }
}

#[tokio::test]
async fn the_reader_may_read_and_the_projector_may_not_write_the_log() {
    let database = Database::new().await;
    let reader = |sql: &str| {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let pool = database.pool.clone();
        async move {
            let mut tx = pool.begin().await.unwrap();
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
            .fetch_one(&database.pool)
            .await
            .unwrap();
        assert!(sound, "{table}");
    }
    reader("SELECT * FROM projector.checkpoints").await.unwrap();
    assert!(reader("SELECT * FROM write.events").await.is_err());
    assert!(reader("SELECT * FROM feed.feed_follows").await.is_err());
    reader("SET LOCAL search_path = feed; SELECT * FROM feed_sources, feed_lanes, blocked_pairs")
        .await
        .unwrap();
    // The functions run with the reader's rights.
    for function in [
        "visible(author, author, root, root_author)",
        "visible_root(author, root)",
        "lane_before(author, audience, NULL, pulled, id, 1)",
        "lane_after(author, audience, root, pulled, id, id, 1)",
    ] {
        let sql = format!("SET LOCAL search_path = feed; SELECT {function} FROM posts");
        reader(&sql).await.unwrap();
    }
    let pool = database.pool_of(projection::ALL[0]);
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
