//! All kinds of links against a real PostgreSQL.

use reqwest::Method;
use sqlx::PgPool;
use uuid::Uuid;
use write_api::domain::LinkKind;

use crate::harness::Api;

async fn stored(pool: &PgPool) -> Vec<(i16, Uuid, Uuid)> {
    let sql = "SELECT kind, target_id, account_id FROM write.links ORDER BY 1, 2, 3";
    sqlx::query_as(sql).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn a_link_is_stored_once_and_removed() {
    let api = Api::start().await;
    let pool = api.database.pool().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let post = miller.new_post("flour").await;
    let cases = [
        (LinkKind::Like, format!("/v1/posts/{post}/like"), post),
        (
            LinkKind::Bookmark,
            format!("/v1/posts/{post}/bookmark"),
            post,
        ),
        (
            LinkKind::Follow,
            format!("/v1/users/{}/follow", miller.id),
            miller.id,
        ),
    ];
    assert_eq!(
        cases.len(),
        LinkKind::ALL.len(),
        "a kind of link is not tested"
    );
    for (kind, path, target) in cases {
        for method in [Method::PUT, Method::PUT, Method::DELETE, Method::DELETE] {
            let is_put = method == Method::PUT;
            let response = baker.request(method, &path).send().await.unwrap();
            assert_eq!(response.status(), 204, "{path}");
            let expected = (i16::from(kind), target, baker.id);
            let expected: &[_] = if is_put { &[expected] } else { &[] };
            assert_eq!(stored(&pool).await, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn deleting_a_post_deletes_its_links_of_all_kinds() {
    let api = Api::start().await;
    let pool = api.database.pool().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let (gone, kept) = (
        miller.new_post("flour").await,
        miller.new_post("bread").await,
    );
    for post in [gone, kept] {
        for kind in LinkKind::ALL {
            // Also kinds that do not link to posts: the statement does not ask.
            let sql = "INSERT INTO write.links (target_id, kind, account_id, since) VALUES ($1, $2, $3, now())";
            let insert = sqlx::query(sql)
                .bind(post)
                .bind(i16::from(*kind))
                .bind(baker.id);
            insert.execute(&pool).await.unwrap();
        }
    }
    let deleted = miller.delete(&format!("/v1/posts/{gone}")).await;
    assert_eq!(deleted.status(), 204);
    let left = stored(&pool).await;
    assert_eq!(left.len(), LinkKind::ALL.len());
    assert!(left.iter().all(|(_, target, _)| *target == kept));
}
