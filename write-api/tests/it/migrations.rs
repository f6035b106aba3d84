//! The schema `write`: its rights, and the move of data by migrations.

use chrono::{DateTime, Utc};
use feedmill_tests::kit::Database;
use sqlx::{PgPool, migrate::Migrator};
use uuid::Uuid;
use write_api::domain::LinkKind;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/write");

/// The rights that the service lacks on purpose: events are only added, and partitions are never created or deleted.
const DENIED: &[(&str, &str)] = &[
    ("events", "UPDATE"),
    ("events", "DELETE"),
    ("partitions", "INSERT"),
    ("partitions", "DELETE"),
];

/// Tables of the schema without a right that the service needs, or with one that it must not have.
async fn wrong_rights(pool: &PgPool) -> Vec<String> {
    let sql =
        "SELECT relname, privilege, has_table_privilege('feedmill_write', pg_class.oid, privilege)
        FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
        WHERE relnamespace = 'write'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')";
    let rights: Vec<(String, String, bool)> = sqlx::query_as(sql).fetch_all(pool).await.unwrap();
    assert!(!rights.is_empty());
    let is_wrong = |(table, privilege, has): &(String, String, bool)| {
        *has == DENIED.contains(&(table.as_str(), privilege.as_str()))
    };
    let wrong = rights.into_iter().filter(is_wrong);
    wrong
        .map(|(table, privilege, has)| {
            let verb = if has { "must not have" } else { "lacks" };
            format!("feedmill_write {verb} {privilege} on write.{table}")
        })
        .collect()
}

#[tokio::test]
async fn the_service_has_its_rights_on_every_table() {
    let database = Database::with_log().await;
    let wrong = wrong_rights(&database.pool).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_later_table_gets_its_rights_and_one_without_them_is_named() {
    let database = Database::with_log().await;
    let pool = &database.pool;
    sqlx::raw_sql("CREATE TABLE write.later (id uuid)")
        .execute(pool)
        .await
        .unwrap();
    assert_eq!(wrong_rights(pool).await, [""; 0]);
    sqlx::raw_sql("REVOKE DELETE ON write.later FROM feedmill_write")
        .execute(pool)
        .await
        .unwrap();
    assert_eq!(
        wrong_rights(pool).await,
        ["feedmill_write lacks DELETE on write.later"]
    );
}

#[tokio::test]
async fn stored_likes_and_follows_become_links() {
    let database = Database::empty().await;
    let pool = &database.pool;
    let older = async {
        for migration in MIGRATIONS.iter().filter(|one| one.version < 4) {
            let sql = sqlx::raw_sql(migration.sql.clone());
            sql.execute(pool).await.unwrap();
        }
    };
    database.migrate_with(older).await;
    let (target, account) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let since = |millis| DateTime::<Utc>::from_timestamp_millis(millis).unwrap();
    for (insert, millis) in [
        (
            "INSERT INTO write.likes (post_id, user_id, liked_at) VALUES ($1, $2, $3)",
            1_001,
        ),
        (
            "INSERT INTO write.follows (followee_id, follower_id, followed_at) VALUES ($1, $2, $3)",
            2_002,
        ),
    ] {
        sqlx::query(insert)
            .bind(target)
            .bind(account)
            .bind(since(millis))
            .execute(pool)
            .await
            .unwrap();
    }
    let links = MIGRATIONS.iter().find(|one| one.version == 4).unwrap();
    sqlx::raw_sql(links.sql.clone())
        .execute(pool)
        .await
        .unwrap();
    let sql = "SELECT kind, target_id, account_id, since FROM write.links ORDER BY kind";
    let links: Vec<(i16, Uuid, Uuid, DateTime<Utc>)> =
        sqlx::query_as(sql).fetch_all(pool).await.unwrap();
    let expected = [
        (i16::from(LinkKind::Like), target, account, since(1_001)),
        (i16::from(LinkKind::Follow), target, account, since(2_002)),
    ];
    assert_eq!(links, expected);
}
