//! `write-api import`: who sees what decides records, too.

use feedmill_tests::kit::Database;

use crate::import::{count, import};

/// A thread of u1 for its tag, of which u2 is a member, with a reply by u2.
const GIVEN: [&str; 8] = [
    r#""type":"account","id":"u1","handle":"u1","display_name":"One""#,
    r#""type":"account","id":"u2","handle":"u2","display_name":"Two""#,
    r#""type":"account","id":"u3","handle":"u3","display_name":"Three""#,
    r#""type":"connection","from":"u1","to":"u2""#,
    r#""type":"tag","id":"t1","owner":"u1","name":"friends""#,
    r#""type":"tag_member","tag":"t1","user":"u2""#,
    r#""type":"post","id":"p1","author":"u1","text":"first","audience":"tags","tags":["t1"]"#,
    r#""type":"post","id":"p2","author":"u2","text":"reply","reply_to":"p1""#,
];

/// What happens next, and who likes which post then: whether the last record is accepted.
const CASES: [(&[&str], &str, bool); 13] = [
    (&[], r#""user":"u1","post":"p2""#, true),
    (&[], r#""user":"u2","post":"p1""#, true),
    (&[], r#""user":"u3","post":"p1""#, false),
    (&[], r#""user":"u3","post":"p2""#, false),
    (
        &[r#""type":"audience","post":"p1","audience":"public""#],
        r#""user":"u3","post":"p2""#,
        true,
    ),
    (
        &[r#""type":"audience","post":"p1","audience":"me""#],
        r#""user":"u2","post":"p1""#,
        false,
    ),
    (
        &[r#""type":"audience","post":"p1","audience":"connections""#],
        r#""user":"u2","post":"p1""#,
        true,
    ),
    (
        &[r#""type":"post_deleted","id":"p1""#],
        r#""user":"u3","post":"p2""#,
        false,
    ),
    (
        &[r#""type":"post_deleted","id":"p1""#],
        r#""user":"u1","post":"p2""#,
        true,
    ),
    (
        &[r#""type":"tag_deleted","id":"t1""#],
        r#""user":"u2","post":"p1""#,
        false,
    ),
    (
        &[r#""type":"disconnection","from":"u1","to":"u2""#],
        r#""user":"u2","post":"p1""#,
        false,
    ),
    (
        &[r#""type":"block","from":"u2","to":"u1""#],
        r#""user":"u1","post":"p2""#,
        false,
    ),
    (
        &[
            r#""type":"audience","post":"p1","audience":"public""#,
            r#""type":"block","from":"u3","to":"u2""#,
            r#""type":"unblock","from":"u3","to":"u2""#,
        ],
        r#""user":"u3","post":"p2""#,
        true,
    ),
];

fn lines(records: &[&str]) -> Vec<String> {
    let numbered = records.iter().enumerate();
    numbered
        .map(|(n, record)| format!(r#"{{{record},"at":"2004-01-16T14:56:{n:02}Z"}}"#))
        .collect()
}

/// In one transaction, which creates all that it decides on, and with what an earlier import has stored.
#[tokio::test]
async fn a_record_is_decided_by_the_records_before_it() {
    for (changes, like, is_accepted) in CASES {
        let like = format!(r#""type":"like",{like}"#);
        let records = lines(&[&GIVEN[..], changes, &[&like]].concat());
        let last = records.len();
        for first in [last, GIVEN.len(), last - 1] {
            let database = Database::with_log().await;
            if first < last {
                import(&database, &records[..first]).await.unwrap();
            }
            let result = import(&database, &records).await;
            let expected = format!("line {last}: ");
            match result {
                Ok(_) => assert!(is_accepted, "{changes:?}, {like}, after {first}"),
                Err(error) => {
                    assert!(!is_accepted, "{changes:?}, {like}, after {first}: {error}");
                    let error = error.to_string();
                    assert!(error.starts_with(&expected), "{error}");
                }
            }
            let likes = i64::from(is_accepted);
            assert_eq!(count(&database.pool, "links").await, likes);
        }
    }
}

#[tokio::test]
async fn an_audience_is_checked_before_anything_is_imported() {
    for (record, expected) in [
        (
            r#""type":"post","id":"p3","author":"u1","text":"x","audience":"friends""#,
            "line 9: audience: must be",
        ),
        (
            r#""type":"post","id":"p3","author":"u1","text":"x","audience":"tags""#,
            "line 9: tags: is missing",
        ),
        (
            r#""type":"post","id":"p3","author":"u1","text":"x","reply_to":"p1","audience":"me""#,
            "line 9: audience: a reply has none",
        ),
        (
            r#""type":"audience","post":"p1","audience":"tags","tags":["t2"]"#,
            "line 9: refers to the tag \"t2\"",
        ),
    ] {
        let database = Database::with_log().await;
        let records = lines(&[&GIVEN[..], &[record]].concat());
        let error = import(&database, &records).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(count(&database.pool, "accounts").await, 0);
    }
}
