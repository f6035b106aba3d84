//! Limits, cursors, periods and dates. Parameters that an endpoint does not know are ignored.

use feedmill_tests::client::{Client, assert_field};

use crate::scene::{Scene, with_query};

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
            let path = with_query(&path, &format!("limit={limit}"));
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
            let path = with_query(&path, &format!("cursor={cursor}"));
            assert_field(
                &alice.get(&path).await,
                "cursor",
                &path[..path.len().min(100)],
            );
        }
        for (twice, field) in [("limit=1&limit=1", "limit"), ("cursor=&cursor=", "cursor")] {
            let path = with_query(&path, twice);
            assert_field(&alice.get(&path).await, field, &path);
        }
    }
    for read in scene.reads() {
        let path = with_query(&read.path, "colour=red&cursor=");
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
    for (query, field) in [
        ("", "direction"),
        ("direction=", "direction"),
        ("direction=sideways", "direction"),
        ("direction=incoming&direction=outgoing", "direction"),
    ] {
        let path = format!("/v1/connections/requests?{query}");
        let answer = alice.get(&path).await;
        assert_eq!(answer.status, 422, "{path}: {answer:?}");
        assert!(answer.body.contains(field), "{path}: {answer:?}");
    }
    let many = format!("id={}", scene.bob) + &format!("&id={}", scene.carol).repeat(100);
    for query in ["id=", "id=bob", "id=%00", &many] {
        let path = format!("/v1/relationships?{query}");
        assert_field(&alice.get(&path).await, "id", &path[..path.len().min(100)]);
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
