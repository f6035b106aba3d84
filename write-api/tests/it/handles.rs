//! Which handles and passwords may be chosen.

use chrono::TimeDelta;
use feedmill_service::Database;
use feedmill_tests::{
    client::{Answer, PASSWORD},
    kit::Role,
};
use reqwest::Method;
use serde_json::json;
use write_api::{domain::Clock, housekeeping};

use crate::{
    harness::{Api, Person},
    session_client::SignedIn,
};

async fn change_handle(person: &Person, handle: &str) -> Answer {
    person.change_profile(json!({ "handle": handle })).await
}

#[tokio::test]
async fn a_freed_handle_stays_with_its_owner_for_30_days() {
    let api = Api::start().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    change_handle(&miller, "mill").await.expect(200);
    let taken = change_handle(&baker, "miller").await;
    taken.expect_problem(409, "handle_taken");
    let taken = api.client().create_account("miller", "M").await;
    taken.expect_problem(409, "handle_taken");
    change_handle(&miller, "miller").await.expect(200);
    change_handle(&miller, "mill").await.expect(200);
    // A month later.
    let pool = &api.database.pool;
    sqlx::query("UPDATE write.freed_handles SET freed_at = freed_at - interval '30 days'")
        .execute(pool)
        .await
        .unwrap();
    change_handle(&baker, "miller").await.expect(200);
    let taken = change_handle(&miller, "miller").await;
    taken.expect_problem(409, "handle_taken");
}

#[tokio::test]
async fn freed_handles_are_deleted_when_they_are_free() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    change_handle(&miller, "mill").await.expect(200);
    let database = Database::new(api.database.options_as(Role::WriteApi), 1).unwrap();
    let count = async || {
        let count = sqlx::query_scalar("SELECT count(*) FROM write.freed_handles");
        let count: i64 = count.fetch_one(&api.database.pool).await.unwrap();
        count
    };
    for (days, left) in [(29, 1), (31, 0)] {
        let now = Clock::default().now().at() + TimeDelta::days(days);
        housekeeping::clean(&database, now).await.unwrap();
        assert_eq!(count().await, left, "after {days} days");
    }
}

#[tokio::test]
async fn reserved_handles_are_refused() {
    let api = Api::start().await;
    let refused = api.client().create_account("Admin", "Admin").await;
    let refused = refused.expect_problem(422, "invalid_request");
    assert_eq!(refused.fields(), ["handle"]);
    let miller = api.person("miller").await;
    let refused = change_handle(&miller, "support").await;
    let refused = refused.expect_problem(422, "invalid_request");
    assert_eq!(refused.fields(), ["handle"]);
}

#[tokio::test]
async fn the_handle_is_no_password() {
    let api = Api::start().await;
    let body = json!({"handle": "the_miller", "display_name": "M", "password": "The_Miller"});
    let client = api.client();
    let refused = client.command(Method::POST, "/v1/accounts", Some(body));
    let refused = refused.await.expect_problem(422, "invalid_request");
    assert_eq!(refused.fields(), ["password"]);
    api.person("the_miller").await;
    let own = SignedIn::new(&api, "the_miller").await;
    let body = json!({ "current_password": PASSWORD, "new_password": "the_miller" });
    let refused = own
        .client
        .command(Method::PUT, "/v1/me/password", Some(body));
    let refused = refused.await.expect_problem(422, "invalid_request");
    assert_eq!(refused.fields(), ["new_password"]);
}
