//! The schemas and their privileges.

use std::{collections::BTreeSet, time::Duration};

use projector::{
    migrations::{self, Migration},
    projection::{self, Definition, Rebuild, feed},
    schema,
};

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

#[tokio::test]
async fn an_installation_from_before_gets_the_index_of_the_audit_log() {
    let database = Database::new().await;
    let undo = "DROP INDEX projector.audit_by_projection;
        DELETE FROM projector.laid_migrations WHERE name = '0004_audit_by_projection'";
    sqlx::raw_sql(undo).execute(&database.pool).await.unwrap();
    let pool = database.pool_of(&feed::DEFINITION);
    let mut db = pool.acquire().await.unwrap();
    schema::prepare(&mut db, &projection::ALL).await.unwrap();
    let is_valid: bool = sqlx::query_scalar(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'projector.audit_by_projection'::regclass",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert!(is_valid);
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

/// Files that create indexes of tables from earlier files in a transaction. They are released, or were applied to empty tables.
const IN_TRANSACTIONS: [&str; 11] = [
    "0005_sessions",
    "0003_muted_conversations",
    "0003_like_times",
    "0008_mutes",
    "0009_tags",
    "0010_audiences",
    "0011_shared_with",
    "0004_threads",
    "0005_pairs",
    "0015_audiences_and_blocks",
    "0004_links",
];

/// An index of a table that the file does not create.
struct LaterIndex {
    table: String,
    is_concurrent: bool,
}

fn later_indexes(sql: &str) -> Vec<LaterIndex> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let created = after(sql, &["CREATE", "TABLE"]);
    let places = words
        .iter()
        .enumerate()
        .filter(|(_, word)| **word == "INDEX");
    let places = places.filter(|(at, _)| ["CREATE", "UNIQUE"].contains(&words[at - 1]));
    let indexes = places.map(|(at, _)| {
        let on = at + words[at..].iter().position(|word| *word == "ON").unwrap();
        LaterIndex {
            table: words[on + 1].split('(').next().unwrap().to_owned(),
            is_concurrent: sql.starts_with("-- no-transaction") && words[at + 1] == "CONCURRENTLY",
        }
    });
    indexes
        .filter(|index| !created.contains(&index.table))
        .collect()
}

/// The words after each occurrence of these.
fn after(sql: &str, keywords: &[&str]) -> Vec<String> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let places = words.windows(keywords.len() + 1);
    let places = places.filter(|found| found.starts_with(keywords));
    places
        .map(|found| found[keywords.len()].trim_end_matches(';').to_owned())
        .collect()
}

#[test]
fn indexes_of_existing_tables_are_created_concurrently_and_analyzed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/write");
    let write = std::fs::read_dir(folder).unwrap().map(|file| {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    });
    let write: Vec<(String, String)> = write.collect();
    let read = migrations::ALL.iter().flat_map(|(_, files)| *files);
    let read = read.map(|file| (file.name.to_owned(), file.sql.to_owned()));
    let mut wrong = Vec::new();
    for (name, sql) in read.filter(|(name, _)| !IN_TRANSACTIONS.contains(&name.as_str())) {
        let analyzed = after(&sql, &["ANALYZE"]);
        for index in later_indexes(&sql) {
            if !index.is_concurrent || !analyzed.contains(&index.table) {
                wrong.push(format!("{name}: an index of {}", index.table));
            }
        }
    }
    for (name, sql) in write
        .iter()
        .filter(|(name, _)| !IN_TRANSACTIONS.contains(&name.as_str()))
    {
        // sqlx sends a file as one query, in which CONCURRENTLY must be alone.
        let is_alone = sql.matches(';').count() == 1;
        for index in later_indexes(sql) {
            let mut later = write.iter().filter(|(later, _)| later > name);
            let analyzed = later.any(|(_, sql)| after(sql, &["ANALYZE"]).contains(&index.table));
            if !index.is_concurrent || !is_alone || !analyzed {
                wrong.push(format!("{name}: an index of {}", index.table));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "these lock a table, or do not analyze it; see migrations/README.md: {wrong:?}"
    );
}

const INDEX: Migration = Migration {
    name: "9999_index",
    sql: "-- no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS posts_by_time ON posts (created_at);
ANALYZE posts;
",
};

#[tokio::test]
async fn an_index_of_a_live_table_is_created_while_the_table_is_written() {
    let database = Database::new().await;
    let migrations: &'static [Migration] = Vec::leak(
        (feed::DEFINITION.migrations.iter())
            .map(|it| Migration {
                name: it.name,
                sql: it.sql,
            })
            .chain([INDEX])
            .collect(),
    );
    let with_index: &'static Definition = Box::leak(Box::new(Definition {
        migrations,
        rebuild: Rebuild::PLAIN,
        ..feed::DEFINITION
    }));
    let run = async |sql: &'static str| sqlx::raw_sql(sql).execute(&database.pool).await;
    let state = async || -> Option<bool> {
        sqlx::query_scalar(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('feed.posts_by_time')",
        )
        .fetch_optional(&database.pool)
        .await
        .unwrap()
    };
    // A creation that was interrupted has left an invalid index.
    run("CREATE INDEX posts_by_time ON feed.posts (created_at);
              UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'feed.posts_by_time'::regclass")
        .await
        .unwrap();
    assert_eq!(state().await, Some(false));
    // A transaction that has written to the table does not end before others have.
    let mut writer = database.pool.begin().await.unwrap();
    sqlx::raw_sql("UPDATE feed.posts SET like_count = 0")
        .execute(&mut *writer)
        .await
        .unwrap();
    let prepare = async || {
        let pool = database.pool_of(&feed::DEFINITION);
        let mut db = pool.acquire().await.unwrap();
        schema::prepare(&mut db, &[with_index]).await.unwrap();
    };
    let write = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let others = run("UPDATE feed.posts SET like_count = 0");
        let others = tokio::time::timeout(Duration::from_secs(5), others).await;
        others.expect("the table is not locked").unwrap();
        writer.commit().await.unwrap();
    };
    // Two instances that start together do it once, and do not wait for each other's snapshots.
    tokio::join!(prepare(), prepare(), write);
    assert_eq!(state().await, Some(true));
    let analyzed: bool = sqlx::query_scalar(
        "SELECT last_analyze IS NOT NULL FROM pg_stat_all_tables WHERE relid = 'feed.posts'::regclass",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert!(analyzed);
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
