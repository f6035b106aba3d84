//! `write-api import`, of every type of record.

use chrono::{DateTime, Utc};
use feedmill_tests::{
    kit::{Database, Role, TempFolder},
    link::{LinkKind, LinkTarget},
};
use sqlx::PgPool;
use write_api::import::{self, ImportError, Summary};

/// The kinds of links to posts. Each has three records: two links are made, and one of them is undone.
fn post_links() -> Vec<LinkKind> {
    let to_posts = |kind: &LinkKind| kind.target() == LinkTarget::Post;
    LinkKind::ALL.into_iter().filter(to_posts).collect()
}

/// Records in order of time; `at` is added, a second apart.
fn records() -> Vec<String> {
    let link = |kind: LinkKind, made: bool, user: &str, post: &str| {
        let record_type = kind.record_type(made);
        format!(r#""type":"{record_type}","user":"{user}","post":"{post}""#)
    };
    let links = post_links().into_iter().flat_map(|kind| {
        [
            link(kind, true, "u2", "p1"),
            link(kind, true, "u1", "p2"),
            link(kind, false, "u1", "p2"),
        ]
    });
    let before = [
        r#""type":"account","id":"u1","handle":"u1","display_name":"One""#,
        r#""type":"account","id":"u2","handle":"u2","display_name":"Two""#,
        r#""type":"follow","from":"u2","to":"u1""#,
        r#""type":"post","id":"p1","author":"u1","text":"first""#,
        r#""type":"post","id":"p2","author":"u2","text":"reply","reply_to":"p1""#,
    ];
    let after = [
        r#""type":"post","id":"p3","author":"u1","text":"private","audience":"me""#,
        r#""type":"audience","post":"p3","audience":"connections""#,
        r#""type":"post_deleted","id":"p3""#,
        r#""type":"unfollow","from":"u2","to":"u1""#,
        r#""type":"follow","from":"u1","to":"u2""#,
        r#""type":"mute","from":"u1","to":"u2""#,
        r#""type":"unmute","from":"u1","to":"u2""#,
        r#""type":"connection","from":"u1","to":"u2""#,
        r#""type":"tag","id":"t1","owner":"u1","name":"friends""#,
        r#""type":"tag_member","tag":"t1","user":"u2""#,
        r#""type":"tag_member_removed","tag":"t1","user":"u2""#,
        r#""type":"tag_deleted","id":"t1""#,
        r#""type":"disconnection","from":"u1","to":"u2""#,
        r#""type":"block","from":"u1","to":"u2""#,
        r#""type":"unblock","from":"u1","to":"u2""#,
        r#""type":"conversation","id":"c1","members":["u1","u2"],"title":"Talk""#,
        r#""type":"message","id":"m1","conversation":"c1","sender":"u1","text":"hello""#,
        r#""type":"read","conversation":"c1","user":"u2","up_to":"m1""#,
        r#""type":"conversation","id":"c2","members":["u2","u1"]"#,
        r#""type":"message","id":"m2","conversation":"c2","sender":"u2","text":"the same one""#,
    ];
    let records = before.map(str::to_owned).into_iter().chain(links);
    let records = records.chain(after.map(str::to_owned)).enumerate();
    records
        .map(|(n, record)| format!(r#"{{{record},"at":"2004-01-16T14:56:{n:02}Z"}}"#))
        .collect()
}

pub async fn import(database: &Database, lines: &[String]) -> Result<Summary, ImportError> {
    let folder = TempFolder::new();
    let path = folder.path().join("records.jsonl");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let options = database.options_as(Role::WriteApi);
    let now = DateTime::<Utc>::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
    let file = std::fs::File::open(path).unwrap();
    import::run(&options, file, now, |_| ()).await
}

pub async fn count(pool: &PgPool, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM write.{table}");
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
    query.fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn every_type_of_record_is_imported_once() {
    let database = Database::with_log().await;
    let pool = &database.pool;
    let records = records();
    let kinds = post_links().len() as u64;
    let all = 25 + 3 * kinds;
    for kind in LinkKind::ALL {
        for record_type in [kind.record_type(true), kind.record_type(false)] {
            let field = format!(r#""type":"{record_type}""#);
            let found = records.iter().any(|record| record.contains(&field));
            assert!(found, "no record of type {record_type}");
        }
    }
    let summary = import(&database, &records).await.unwrap();
    // The second conversation of a pair is the first one. A connection or a block that begins or ends has an event for each account, and the
    // block ends a follow.
    assert_eq!(
        (summary.records, summary.known, summary.events),
        (all, 0, all - 1 + 4 + 1)
    );
    for (table, rows) in [
        ("accounts", 2),
        ("posts", 2),
        ("links", kinds as i64),
        ("connections", 0),
        ("blocks", 0),
        // That of a deleted post stays.
        ("audiences", 1),
        ("tags", 0),
        ("tag_members", 0),
        ("conversations", 1),
        ("members", 2),
        ("messages", 2),
        ("imported", all as i64),
    ] {
        assert_eq!(count(pool, table).await, rows, "write.{table}");
    }
    let again = import(&database, &records).await.unwrap();
    assert_eq!((again.records, again.known, again.events), (all, all, 0));
}

#[tokio::test]
async fn a_file_imported_in_two_parts_is_the_same_as_in_one() {
    let (whole, parts) = (Database::with_log().await, Database::with_log().await);
    let records = records();
    import(&whole, &records).await.unwrap();
    for end in [6, records.len() - 4, records.len()] {
        import(&parts, &records[..end]).await.unwrap();
    }
    let ids = async |database: &Database| {
        let sql = "SELECT kind, record, id::text FROM write.imported ORDER BY 1, 2";
        let rows: Vec<(String, String, Option<String>)> =
            sqlx::query_as(sql).fetch_all(&database.pool).await.unwrap();
        rows
    };
    assert_eq!(ids(&whole).await, ids(&parts).await);
}

#[tokio::test]
async fn a_broken_line_is_named_and_nothing_is_imported() {
    let database = Database::with_log().await;
    let mut records = records();
    records[3] = records[3].replace("u1", "nobody");
    records[5] = records[5].replace("like", "wave");
    let error = import(&database, &records).await.unwrap_err().to_string();
    assert!(
        error.contains("line 4: refers to the account \"nobody\""),
        "{error}"
    );
    assert!(error.contains("line 6: unknown variant `wave`"), "{error}");
    assert_eq!(count(&database.pool, "accounts").await, 0);
}
