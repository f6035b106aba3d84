//! Audiences of threads, and settings of accounts.

use feedmill_service::Database;
use feedmill_tests::{
    client::{Answer, Client},
    kit::Role,
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use write_api::{domain::Clock, housekeeping};

use crate::harness::{Api, Person};

async fn create(client: &Client, body: Value) -> Answer {
    client.command(Method::POST, "/v1/posts", Some(body)).await
}

async fn set(client: &Client, post: Uuid, body: Value) -> Answer {
    let path = format!("/v1/posts/{post}/audience");
    client.command(Method::PUT, &path, Some(body)).await
}

/// The fields `audience` and `tags` of a post.
fn shown(answer: &Answer) -> (Value, Value) {
    let body = answer.json();
    (body["audience"].clone(), body["tags"].clone())
}

/// Two people who are connected, and a tag of the first that has the second.
async fn with_tag(api: &Api) -> (Person, Person, Uuid) {
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    miller.connection(baker.id, true).await.expect(200);
    baker.connection(miller.id, true).await.expect(200);
    let tag = tag_with(&miller, "mill", baker.id).await;
    (miller, baker, tag)
}

async fn tag_with(owner: &Client, name: &str, member: Uuid) -> Uuid {
    let tag = owner.create_tag(name).await.expect(201).id();
    owner.tag_member(tag, member, true).await.expect(204);
    tag
}

async fn delete_tag(owner: &Client, tag: Uuid) {
    let path = format!("/v1/tags/{tag}");
    let deleted = owner.command(Method::DELETE, &path, None).await;
    deleted.expect(204);
}

/// The number of rows of a table of write-api.
async fn rows(api: &Api, table: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM write.{table}"));
    let rows = sqlx::query_scalar(sql);
    rows.fetch_one(&api.database.pool).await.unwrap()
}

#[tokio::test]
async fn the_answer_has_the_audience_as_the_caller_sees_it() {
    let api = Api::start().await;
    let (miller, baker, tag) = with_tag(&api).await;

    let public = create(&miller, json!({"text": "a"})).await.expect(201);
    assert_eq!(shown(&public), (json!("public"), Value::Null));
    let body = json!({"text": "a", "audience": "tags", "tags": [tag, tag]});
    let post = create(&miller, body).await.expect(201);
    assert_eq!(shown(&post), (json!("tags"), json!([tag])));
    let reply = json!({"text": "a", "reply_to": post.id()});
    let own = create(&miller, reply.clone()).await.expect(201);
    assert_eq!(shown(&own), (json!("tags"), json!([tag])));
    // A repeated request gets the first answer.
    let send = async || {
        let request = baker.request(Method::POST, "/v1/posts");
        let request = request.header("Idempotency-Key", "reply").json(&reply);
        baker.send(request).await.expect(201)
    };
    let limited = send().await;
    assert_eq!(shown(&limited), (json!("limited"), Value::Null));
    let connections = json!({"audience": "connections"});
    set(&miller, post.id(), connections).await.expect(204);
    let again = send().await;
    assert_eq!(again.body, limited.body);
    let another = json!({"text": "b", "reply_to": post.id()});
    let another = create(&baker, another).await.expect(201);
    assert_eq!(shown(&another), (json!("connections"), Value::Null));

    let stored: Vec<(Uuid, i16, Option<Vec<Uuid>>)> =
        sqlx::query_as("SELECT root_id, audience, tag_ids FROM write.audiences")
            .fetch_all(&api.database.pool)
            .await
            .unwrap();
    assert_eq!(stored, [(post.id(), 1, None)]);
    set(&miller, post.id(), json!({"audience": "public"}))
        .await
        .expect(204);
    assert_eq!(rows(&api, "audiences").await, 0);
}

#[tokio::test]
async fn members_of_a_deleted_tag_are_deleted_later() {
    let api = Api::start().await;
    let (miller, baker, tag) = with_tag(&api).await;
    tag_with(&miller, "flour", baker.id).await;
    delete_tag(&miller, tag).await;
    let database = Database::new(api.database.options_as(Role::WriteApi), 1).unwrap();
    let both = async || {
        (
            rows(&api, "tag_members").await,
            rows(&api, "deleted_tags").await,
        )
    };
    assert_eq!(both().await, (2, 1));
    housekeeping::clean(&database, Clock::default().now().at())
        .await
        .unwrap();
    assert_eq!(both().await, (1, 0));
}

#[tokio::test]
async fn an_ended_connection_has_no_membership_of_a_deleted_tag() {
    let api = Api::start().await;
    let (miller, baker, tag) = with_tag(&api).await;
    let before = rows(&api, "events").await;
    delete_tag(&miller, tag).await;
    miller.connection(baker.id, false).await.expect(204);
    // The deletion, and the end of the connection for each of the two.
    assert_eq!(rows(&api, "events").await, before + 3);
}

#[tokio::test]
async fn an_audience_is_checked() {
    let api = Api::start().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let post = miller.post("flour", None).await.expect(201).id();
    let tag = baker.create_tag("friends").await.expect(201).id();
    let many = vec![Uuid::nil(); 101];
    for (body, fields) in [
        (json!({"audience": "friends"}), &["audience"][..]),
        (json!({"audience": "tags"}), &["tags"]),
        (json!({"audience": "tags", "tags": []}), &["tags"]),
        (json!({"audience": "tags", "tags": many}), &["tags"]),
        (json!({"audience": "tags", "tags": ["x"]}), &["tags[0]"]),
        (json!({"audience": "me", "tags": [tag]}), &["tags"]),
    ] {
        let refused = set(&miller, post, body.clone()).await;
        let refused = refused.expect_problem(422, "invalid_request");
        assert_eq!(refused.fields(), fields, "{body}");
        let mut body = body;
        body["text"] = json!("bread");
        let refused = create(&miller, body.clone()).await;
        let refused = refused.expect_problem(422, "invalid_request");
        assert_eq!(refused.fields(), fields, "{body}");
    }
    for (body, fields) in [
        (json!({"tags": [tag]}), &["tags"][..]),
        (json!({"reply_to": post, "audience": "me"}), &["audience"]),
        (json!({"reply_to": post, "tags": [tag]}), &["tags"]),
    ] {
        let mut body = body;
        body["text"] = json!("bread");
        let refused = create(&miller, body.clone()).await;
        let refused = refused.expect_problem(422, "invalid_request");
        assert_eq!(refused.fields(), fields, "{body}");
    }
    let others = json!({"audience": "tags", "tags": [tag]});
    let refused = set(&miller, post, others).await;
    assert_eq!(refused.expect_problem(404, "not_found").fields(), ["tags"]);

    let public = json!({"audience": "public"});
    let not_yours = set(&baker, post, public.clone()).await;
    not_yours.expect_problem(403, "not_yours");
    let reply = baker.post("bread", Some(post)).await.expect(201).id();
    let refused = set(&baker, reply, public.clone()).await;
    refused.expect_problem(409, "not_a_root_post");
    let me = json!({"audience": "me"});
    set(&miller, post, me).await.expect(204);
    let hidden = set(&baker, post, public.clone()).await;
    let hidden = hidden.expect_problem(404, "not_found");
    let unknown = set(&baker, Uuid::nil(), public).await;
    assert_eq!(hidden.body, unknown.body);
}

#[tokio::test]
async fn settings_are_stored_and_decide() {
    let api = Api::start().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let settings = |answer: &Answer| {
        let body = answer.json();
        (
            body["default_audience"].clone(),
            body["who_may_message"].clone(),
        )
    };
    let first = miller.change_profile(json!({})).await.expect(200);
    assert_eq!(settings(&first), (json!("public"), json!("everyone")));
    let change =
        json!({"default_audience": "me", "who_may_message": "connections", "bio": "I grind."});
    let changed = miller.change_profile(change).await.expect(200);
    assert_eq!(settings(&changed), (json!("me"), json!("connections")));
    for (body, field) in [
        (json!({"default_audience": "tags"}), "default_audience"),
        (json!({"default_audience": null}), "default_audience"),
        (json!({"who_may_message": "nobody"}), "who_may_message"),
        (json!({"who_may_message": null}), "who_may_message"),
    ] {
        let refused = miller.change_profile(body).await;
        let refused = refused.expect_problem(422, "invalid_request");
        assert_eq!(refused.fields(), [field]);
    }
    let api = api.restart().await;
    let again = |person: &crate::harness::Person| api.client().with_token(&api.token(person.id));
    let miller_client = again(&miller);
    let post = create(&miller_client, json!({"text": "a"}))
        .await
        .expect(201);
    assert_eq!(shown(&post), (json!("me"), Value::Null));
    let refused = again(&baker).create_conversation(&[miller.id], None).await;
    let refused = refused.expect_problem(403, "messages_not_accepted");
    assert_eq!(refused.fields(), ["members"]);
}
