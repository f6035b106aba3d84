//! The move of data by migrations of the schema `write`.

use chrono::{DateTime, Utc};
use feedmill_events::{Envelope, Event, event::v1::MessageSent};
use feedmill_tests::{
    kit::Database,
    log::{Raw, append},
};
use sqlx::migrate::Migrator;
use uuid::Uuid;
use write_api::domain::LinkKind;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/write");

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

#[tokio::test]
async fn the_senders_of_stored_messages_are_read_from_the_log() {
    let database = Database::empty().await;
    let pool = &database.pool;
    let older = async {
        for migration in MIGRATIONS.iter().filter(|one| one.version < 10) {
            let sql = sqlx::raw_sql(migration.sql.clone());
            sql.execute(pool).await.unwrap();
        }
    };
    database.migrate_with(older).await;
    // Times and lengths that take different numbers of bytes.
    let messages = [(0, 1), (1_700_000_000_000, 100), (-1, 5_000)]
        .into_iter()
        .enumerate();
    let mut expected = Vec::new();
    for (n, (at, length)) in messages {
        let [conversation, message, sender] =
            [1, 2, 3].map(|kind| Uuid::from_u128(kind << 100 | n as u128));
        let event = Event::MessageSent(MessageSent {
            conversation,
            message,
            sender,
            text: "x".repeat(length),
        });
        let envelope = Envelope { at, event };
        append(pool, &[Raw::from(&envelope)]).await.unwrap();
        sqlx::query("INSERT INTO write.messages VALUES ($1, $2)")
            .bind(conversation)
            .bind(message)
            .execute(pool)
            .await
            .unwrap();
        expected.push((message, sender));
    }
    let senders = MIGRATIONS.iter().find(|one| one.version == 10).unwrap();
    sqlx::raw_sql(senders.sql.clone())
        .execute(pool)
        .await
        .unwrap();
    let sql = "SELECT id, sender_id FROM write.messages ORDER BY id";
    let senders: Vec<(Uuid, Uuid)> = sqlx::query_as(sql).fetch_all(pool).await.unwrap();
    assert_eq!(senders, expected);
}

/// A batch of commands may rename tags so that each gets the name of another, and saves them in the order of their ids.
#[tokio::test]
async fn two_tags_may_swap_their_names_in_one_transaction() {
    let database = Database::with_log().await;
    let run = async |sql: &'static str| {
        let done = sqlx::query(sql).execute(&database.pool).await;
        done.map(|done| done.rows_affected())
    };
    run("INSERT INTO write.tags (id, owner_id, name)
         SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', name FROM unnest(ARRAY['a', 'b']) AS name")
        .await
        .unwrap();
    let swapped =
        run("UPDATE write.tags SET name = CASE name WHEN 'a' THEN 'b' ELSE 'a' END").await;
    assert_eq!(swapped.unwrap(), 2);
    assert!(run("UPDATE write.tags SET name = 'a'").await.is_err());
}
