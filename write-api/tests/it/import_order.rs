//! `write-api import` of records with one time: ids are in the order of the lines, and every line counts.

use feedmill_tests::kit::Database;
use sqlx::PgPool;
use uuid::Uuid;

use crate::import::{count, import};

const AT: &str = r#""at":"2004-01-16T14:56:01Z"}"#;

fn accounts(count: usize) -> Vec<String> {
    let account =
        |n| format!(r#"{{"type":"account","id":"u{n}","handle":"u{n}","display_name":"U",{AT}"#);
    (0..count).map(account).collect()
}

fn link(record_type: &str) -> String {
    if record_type.contains("follow") {
        format!(r#"{{"type":"{record_type}","from":"u0","to":"u1",{AT}"#)
    } else {
        format!(r#"{{"type":"{record_type}","user":"u0","post":"p0",{AT}"#)
    }
}

/// Posts by several authors, each followed by another record, and the messages of a conversation.
fn posts_and_messages(numbers: std::ops::Range<usize>) -> Vec<String> {
    let records = numbers.map(|n| {
        let (author, sender) = (n % 5, n % 2);
        format!(
            r#"{{"type":"post","id":"p{n}","author":"u{author}","text":"{n}",{AT}
{{"type":"message","id":"m{n}","conversation":"c","sender":"u{sender}","text":"{n}",{AT}"#
        )
    });
    records.collect()
}

fn conversation() -> String {
    format!(r#"{{"type":"conversation","id":"c","members":["u0","u1"],{AT}"#)
}

/// The ids of `p0`, `p1`, … or of `m0`, `m1`, ….
async fn ids(pool: &PgPool, kind: &str) -> Vec<Uuid> {
    let sql = "SELECT id FROM write.imported WHERE kind = $1 ORDER BY substr(record, 2)::int";
    let query = sqlx::query_scalar(sql).bind(kind);
    query.fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn ids_of_one_time_are_in_the_order_of_the_lines() {
    let database = Database::with_log().await;
    let pool = &database.pool;
    let begin = [accounts(5), vec![conversation()], posts_and_messages(0..30)].concat();
    import(&database, &begin).await.unwrap();
    for kind in ["post", "message"] {
        assert!(ids(pool, kind).await.is_sorted_by(|a, b| a < b), "{kind}");
    }
    // Posts of several authors are in several partitions.
    let partitions: std::collections::BTreeSet<u8> = ids(pool, "post")
        .await
        .iter()
        .map(|id| id.as_bytes()[15] & 63)
        .collect();
    assert!(partitions.len() > 1, "{partitions:?}");

    // The same file again, and then with more lines of the same time.
    let before = (ids(pool, "post").await, ids(pool, "message").await);
    let again = import(&database, &begin).await.unwrap();
    assert_eq!((again.known, again.events), (again.records, 0));
    let extended = [begin, posts_and_messages(30..60)].concat();
    let more = import(&database, &extended).await.unwrap();
    assert_eq!((more.records - more.known, more.events), (60, 60));
    let after = (ids(pool, "post").await, ids(pool, "message").await);
    assert_eq!(after.0[..30], before.0);
    assert_eq!(after.1[..30], before.1);
    assert!(after.0.is_sorted_by(|a, b| a < b));
    assert!(after.1.is_sorted_by(|a, b| a < b));

    // Whoever imports the whole file at once gets the same ids.
    let whole = Database::with_log().await;
    import(&whole, &extended).await.unwrap();
    let whole = &whole.pool;
    assert_eq!(
        (ids(whole, "post").await, ids(whole, "message").await),
        after
    );
}

#[tokio::test]
async fn the_last_of_many_lines_of_one_time_is_the_last() {
    // More than a transaction has.
    let database = Database::with_log().await;
    let lines = [
        accounts(5),
        vec![conversation()],
        posts_and_messages(0..10_500),
    ]
    .concat();
    import(&database, &lines).await.unwrap();
    let pool = &database.pool;
    let posts = ids(pool, "post").await;
    assert_eq!(posts.len(), 10_500);
    assert!(posts.is_sorted_by(|a, b| a < b));
}

#[tokio::test]
async fn every_line_without_an_id_counts() {
    let post = format!(r#"{{"type":"post","id":"p0","author":"u1","text":"x",{AT}"#);
    for (add, remove) in [
        ("follow", "unfollow"),
        ("like", "unlike"),
        ("bookmark", "unbookmark"),
    ] {
        let database = Database::with_log().await;
        let pool = &database.pool;
        let begin = [accounts(2), vec![post.clone()]].concat();
        // How many links there are after so many lines.
        let lines = [add, remove, add, remove, remove, add, add, remove, add].map(link);
        for (end, links) in [(1, 1), (2, 0), (3, 1), (5, 0), (7, 1), (8, 0), (9, 1)] {
            let file = [&begin[..], &lines[..end]].concat();
            import(&database, &file).await.unwrap();
            assert_eq!(count(pool, "links").await, links, "{add}: {end} lines");
            let again = import(&database, &file).await.unwrap();
            assert_eq!((again.known, again.events), (again.records, 0));
            assert_eq!(
                count(pool, "links").await,
                links,
                "{add}: {end} lines again"
            );
        }
    }
}

#[tokio::test]
async fn a_repeated_read_mark_is_imported_once_for_each_line() {
    let database = Database::with_log().await;
    let read = format!(r#"{{"type":"read","conversation":"c","user":"u0","up_to":"m0",{AT}"#);
    let lines = [
        accounts(2),
        vec![conversation()],
        posts_and_messages(0..1),
        vec![read.clone(), read],
    ]
    .concat();
    for known in [0, 7] {
        let summary = import(&database, &lines).await.unwrap();
        assert_eq!((summary.records, summary.known), (7, known));
    }
}

/// A version that imported only the first of several equal records has stored its name.
#[tokio::test]
async fn a_file_that_an_earlier_version_imported_is_recognised() {
    let database = Database::with_log().await;
    let pool = &database.pool;
    let lines = [accounts(2), vec![link("follow"), link("unfollow")]].concat();
    import(&database, &lines).await.unwrap();
    let names: Vec<(String, String)> =
        sqlx::query_as("SELECT kind, record FROM write.imported WHERE id IS NULL ORDER BY kind")
            .fetch_all(pool)
            .await
            .unwrap();
    let name = "u0>u1@1074264961000".to_owned();
    let expected = ["follow", "unfollow"].map(|kind| (kind.to_owned(), name.clone()));
    assert_eq!(names, expected);
    // Its ids stay, whatever they are.
    let old = Uuid::from_u128(0x00fa_2f0a_7a28_7fff_bfff_ffff_ffff_ffff);
    let post = format!(r#"{{"type":"post","id":"p0","author":"u1","text":"x",{AT}"#);
    let insert = "INSERT INTO write.imported (kind, record, id) VALUES ('post', 'p0', $1)";
    sqlx::query(insert).bind(old).execute(pool).await.unwrap();
    let summary = import(&database, &[lines, vec![post]].concat())
        .await
        .unwrap();
    assert_eq!((summary.records, summary.known, summary.events), (5, 5, 0));
    assert_eq!(ids(pool, "post").await, [old]);
}

#[tokio::test]
async fn a_byte_order_mark_and_windows_line_ends_are_accepted() {
    let database = Database::with_log().await;
    let post = format!(r#"{{"type":"post","id":"p0","author":"u1","text":"a\r\n\tb",{AT}"#);
    let mut lines = [accounts(2), vec![post]].concat();
    lines[0] = format!("\u{feff}{}", lines[0]);
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\r")).collect();
    let summary = import(&database, &lines).await.unwrap();
    assert_eq!(summary.records, 3);
    let body: Vec<u8> =
        sqlx::query_scalar("SELECT body FROM write.events WHERE type = 'post.created'")
            .fetch_one(&database.pool)
            .await
            .unwrap();
    assert!(body.windows(4).any(|bytes| bytes == b"a\n\tb"), "{body:?}");
}
