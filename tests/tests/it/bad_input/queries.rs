//! Limits, cursors, periods and dates. Parameters that an endpoint does not know are ignored.

use feedmill_tests::client::{Client, assert_field};

use crate::scene::Scene;

pub async fn are_checked(scene: &Scene, alice: &Client) {
    for path in scene.lists() {
        for limit in [
            "0",
            "1000",
            "101",
            "-1",
            "1.5",
            "ten",
            "",
            "99999999999999999999",
        ] {
            let path = format!("{path}?limit={limit}");
            assert_field(&alice.get(&path).await, "limit", &path);
        }
        for cursor in [
            "x",
            "AAAA",
            "%00",
            "%FF%FE",
            "..%2F..",
            "é",
            "'--",
            &"A".repeat(5_000),
        ] {
            let path = format!("{path}?cursor={cursor}");
            assert_field(
                &alice.get(&path).await,
                "cursor",
                &path[..path.len().min(100)],
            );
        }
        for (twice, field) in [("limit=1&limit=1", "limit"), ("cursor=&cursor=", "cursor")] {
            let path = format!("{path}?{twice}");
            assert_field(&alice.get(&path).await, field, &path);
        }
    }
    for read in scene.reads() {
        let separator = if read.path.contains('?') { '&' } else { '?' };
        let path = format!("{}{separator}colour=red&cursor=", read.path);
        let answer = alice.get(&path).await.expect(200);
        let plain = alice.get(&read.path).await;
        assert_eq!(answer.body, plain.body, "{path}");
    }
    for (query, field) in [
        ("period=month&date=2026-01-01", "period"),
        ("period=&date=2026-01-01", "period"),
        ("period=day&date=2026-13-01", "date"),
        ("period=day&date=2026-02-30", "date"),
        ("period=day&date=yesterday", "date"),
        ("period=day&date=", "date"),
        ("period=day&date=99999-01-01", "date"),
        ("period=week&date=-9999-01-01", "date"),
        ("period=day&period=day", "period"),
        ("date=2026-01-01&date=2026-01-02", "date"),
    ] {
        let path = format!("/v1/digest?{query}");
        assert_field(&alice.get(&path).await, field, &path);
    }
    for query in [
        "period=week&date=9999-12-31",
        "period=week&date=0001-01-01",
        "period=day&date=1969-12-31",
    ] {
        let answer = alice.get(&format!("/v1/digest?{query}")).await;
        assert!(
            [200, 422].contains(&answer.status.as_u16()),
            "{query}: {answer:?}"
        );
    }
}
