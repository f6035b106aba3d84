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

/// The body of `post.created` in version 1.
fn old_post(at: i64, post: Uuid, author: Uuid, parent: Option<(Uuid, Uuid)>, text: &str) -> Raw {
    let varint = |mut number: u64| {
        let mut bytes = Vec::new();
        while number >= 128 {
            bytes.push((number & 127) as u8 | 128);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let id = |id: Uuid| [&[16], &id.as_bytes()[..]].concat();
    let reply_to = parent.map_or(vec![0], |(post, author)| {
        [vec![1], id(post), id(author)].concat()
    });
    let text = [varint(text.len() as u64), text.as_bytes().to_vec()].concat();
    let payload = [id(post), id(author), reply_to, text].concat();
    let zigzag = ((at << 1) ^ (at >> 63)) as u64;
    let head = [&[12], &b"post.created"[..], &[1]].concat();
    let length = varint(payload.len() as u64);
    let body = [head, varint(zigzag), length, payload].concat();
    let envelope = Envelope::decode(&body).unwrap();
    Raw {
        body,
        ..Raw::from(&envelope)
    }
}

#[tokio::test]
async fn the_threads_of_stored_posts_are_read_from_the_log() {
    let database = Database::empty().await;
    let pool = &database.pool;
    let older = async {
        for migration in MIGRATIONS.iter().filter(|one| one.version < 15) {
            let sql = sqlx::raw_sql(migration.sql.clone());
            sql.execute(pool).await.unwrap();
        }
    };
    database.migrate_with(older).await;
    let id = Uuid::from_u128;
    let author = |post: u128| id(100 + post);
    // Posts with their parents, with times and texts whose lengths take different numbers of bytes.
    let posts: [(u128, Option<u128>, i64, usize); 6] = [
        (1, None, 0, 1),
        (2, Some(1), 1_700_000_000_000, 100),
        (3, Some(2), -1, 5_000),
        (4, None, 1_700_000_000_001, 20_000),
        (5, Some(4), 63, 10),
        (6, Some(5), 64, 127),
    ];
    for (post, parent, at, length) in posts {
        let parent_ids = parent.map(|parent| (id(parent), author(parent)));
        let text = "x".repeat(length);
        let raw = old_post(at, id(post), author(post), parent_ids, &text);
        append(pool, &[raw]).await.unwrap();
    }
    // A root post and a parent were deleted.
    for post in [2, 3, 4, 6] {
        sqlx::query("INSERT INTO write.posts (id, author_id) VALUES ($1, $2)")
            .bind(id(post))
            .bind(author(post))
            .execute(pool)
            .await
            .unwrap();
    }
    let threads = MIGRATIONS.iter().find(|one| one.version == 15).unwrap();
    let sql = sqlx::raw_sql(threads.sql.clone());
    sql.execute(pool).await.unwrap();
    let sql = "SELECT id, root, root_author FROM write.posts ORDER BY id";
    let found: Vec<(Uuid, Uuid, Uuid)> = sqlx::query_as(sql).fetch_all(pool).await.unwrap();
    let expected = [(2, 1), (3, 1), (4, 4), (6, 4)];
    assert_eq!(
        found,
        expected.map(|(post, root)| (id(post), id(root), author(root)))
    );
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
