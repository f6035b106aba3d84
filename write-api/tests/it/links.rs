//! All kinds of links against a real PostgreSQL.

use feedmill_tests::link::{LinkKind, LinkTarget};
use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::Api;

async fn stored(pool: &PgPool) -> Vec<(i16, Uuid, Uuid)> {
    let sql = "SELECT kind, target_id, account_id FROM write.links ORDER BY 1, 2, 3";
    sqlx::query_as(sql).fetch_all(pool).await.unwrap()
}

#[test]
fn every_kind_is_tested() {
    let all = write_api::domain::LinkKind::ALL.iter();
    let numbers: Vec<i16> = all.map(|kind| (*kind).into()).collect();
    assert_eq!(numbers, LinkKind::ALL.map(LinkKind::number));
}

#[tokio::test]
async fn a_link_is_stored_once_and_removed() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let post = miller.post("flour", None).await.expect(201).id();
    for kind in LinkKind::ALL {
        let target = match kind.target() {
            LinkTarget::Post => post,
            LinkTarget::Account => miller.id,
        };
        for make in [true, true, false, false] {
            let answer = baker.link(kind, target, make).await.expect(204);
            assert!(answer.header("feedmill-position").is_some(), "{kind:?}");
            let expected = (kind.number(), target, baker.id);
            let expected: &[_] = if make { &[expected] } else { &[] };
            assert_eq!(stored(pool).await, expected, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn deleting_a_post_deletes_its_links_of_all_kinds() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let gone = miller.post("flour", None).await.expect(201).id();
    let kept = miller.post("bread", None).await.expect(201).id();
    for post in [gone, kept] {
        for kind in LinkKind::ALL {
            // Also kinds that do not link to posts: the statement does not ask.
            let sql = "INSERT INTO write.links (target_id, kind, account_id, since) VALUES ($1, $2, $3, now())";
            let insert = sqlx::query(sql)
                .bind(post)
                .bind(kind.number())
                .bind(baker.id);
            insert.execute(pool).await.unwrap();
        }
    }
    miller.delete_post(gone).await.expect(204);
    let left = stored(pool).await;
    assert_eq!(left.len(), LinkKind::ALL.len());
    assert!(left.iter().all(|(_, target, _)| *target == kept));
}
