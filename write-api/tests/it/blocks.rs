//! Blocks, also those that race with the acts that they refuse.

use std::time::Duration;

use feedmill_events::Partition;
use feedmill_tests::{
    client::{Answer, Client},
    link::LinkKind,
};
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{Api, Person};

async fn block(client: &Client, other: Uuid, begin: bool) -> Answer {
    let method = if begin { Method::PUT } else { Method::DELETE };
    let path = format!("/v1/users/{other}/block");
    client.command(method, &path, None).await
}

#[tokio::test]
async fn a_block_is_stored_and_refuses_both() {
    let api = Api::start().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let post = baker.post("bread", None).await.expect(201).id();
    let pair = miller.create_conversation(&[baker.id], None).await;
    let pair = pair.expect(201).id();
    baker.follow(miller.id).await.expect(204);
    block(&miller, miller.id, true)
        .await
        .expect_problem(422, "self_block");
    block(&miller, Uuid::nil(), true)
        .await
        .expect_problem(404, "not_found");
    for _ in 0..2 {
        block(&miller, baker.id, true).await.expect(204);
    }
    let stored: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT blocker_id, blocked_id FROM write.blocks")
            .fetch_all(&api.database.pool)
            .await
            .unwrap();
    assert_eq!(stored, [(miller.id, baker.id)]);
    let follows: i64 = sqlx::query_scalar("SELECT count(*) FROM write.links")
        .fetch_one(&api.database.pool)
        .await
        .unwrap();
    assert_eq!(follows, 0);

    for answer in [
        miller.follow(baker.id).await,
        miller.connection(baker.id, true).await,
        miller.like(post).await,
        miller.post("reply", Some(post)).await,
        miller.create_conversation(&[baker.id], None).await,
    ] {
        answer.expect_problem(409, "blocked");
    }
    // For the other one, the blocker does not exist.
    let unknown = Uuid::nil();
    for (hidden, none) in [
        (baker.follow(miller.id).await, baker.follow(unknown).await),
        (
            baker.connection(miller.id, true).await,
            baker.connection(unknown, true).await,
        ),
        (
            baker.create_conversation(&[miller.id], None).await,
            baker.create_conversation(&[unknown], None).await,
        ),
    ] {
        let hidden = hidden.expect_problem(404, "not_found");
        assert_eq!(hidden.body, none.body);
        let names = |answer: &Answer| -> Vec<String> {
            answer.headers.keys().map(ToString::to_string).collect()
        };
        assert_eq!(names(&hidden), names(&none));
    }
    for person in [&miller, &baker] {
        let closed = person.send_message(pair, "hello").await;
        closed.expect_problem(409, "conversation_closed");
    }
    block(&miller, baker.id, false).await.expect(204);
    block(&miller, Uuid::nil(), false).await.expect(204);
    miller.send_message(pair, "hello").await.expect(201);
    miller.like(post).await.expect(204);
}

/// An account in a partition other than these.
async fn person_apart(api: &Api, handle: &str, from: &[Uuid]) -> Person {
    for n in 0.. {
        let person = api.person(&format!("{handle}{n}")).await;
        let partition = Partition::of(person.id);
        if from.iter().all(|other| Partition::of(*other) != partition) {
            return person;
        }
    }
    unreachable!("there are 64 partitions")
}

/// Runs a request while another process blocks its actor: that process has locked the actor's partition, as every block of the actor
/// does, and commits the block only once the request waits.
async fn during_block(
    pool: &PgPool,
    blocker: Uuid,
    actor: Uuid,
    request: impl Future<Output = Answer>,
) -> Answer {
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM write.partitions WHERE id = $1 FOR UPDATE")
        .bind(i16::from(Partition::of(actor)))
        .execute(&mut *transaction)
        .await
        .unwrap();
    let mut request = std::pin::pin!(request);
    let early = timeout(Duration::from_millis(300), &mut request).await;
    assert!(early.is_err(), "does not wait for the block: {early:?}");
    sqlx::query("INSERT INTO write.blocks VALUES ($1, $2, now())")
        .bind(blocker)
        .bind(actor)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let answer = request.await;
    sqlx::query("DELETE FROM write.blocks")
        .execute(pool)
        .await
        .unwrap();
    answer
}

/// The act's target is in none of the two accounts' partitions, so only the actor's is locked by both.
#[tokio::test]
async fn an_act_that_races_with_a_block_of_its_actor_sees_the_block() {
    let api = Api::start().await;
    let pool = &api.database.pool;
    let miller = api.person("miller").await;
    let baker = person_apart(&api, "baker", &[miller.id]).await;
    let eater = person_apart(&api, "eater", &[miller.id, baker.id]).await;
    let thread = miller.post("flour", None).await.expect(201).id();
    let reply = baker.post("bread", Some(thread)).await.expect(201).id();
    let members = [miller.id, api.person("cook").await.id];
    let group = eater.create_conversation(&members, None).await;
    let group = group.expect(201).id();
    let pair = eater.create_conversation(&[baker.id], None).await;
    let pair = pair.expect(201).id();
    let race = async |request| during_block(pool, baker.id, eater.id, request).await;

    let like = eater.link(LinkKind::Like, reply, true);
    race(Box::pin(like) as Request<'_>)
        .await
        .expect_problem(404, "not_found");
    let bookmark = eater.link(LinkKind::Bookmark, reply, true);
    race(Box::pin(bookmark))
        .await
        .expect_problem(404, "not_found");
    let answer = eater.post("crumbs", Some(reply));
    race(Box::pin(answer))
        .await
        .expect_problem(404, "not_found");
    let message = eater.send_message(pair, "hello");
    let closed = race(Box::pin(message)).await;
    closed.expect_problem(409, "conversation_closed");
    let members = [baker.id, miller.id];
    let new = eater.create_conversation(&members, None);
    race(Box::pin(new)).await.expect_problem(404, "not_found");
    let add = eater.set_member(group, baker.id, true);
    race(Box::pin(add)).await.expect_problem(404, "not_found");
    // Undoing does not depend on blocks, and does not wait for them.
    eater.link(LinkKind::Like, reply, true).await.expect(204);
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM write.partitions WHERE id = $1 FOR UPDATE")
        .bind(i16::from(Partition::of(eater.id)))
        .execute(&mut *transaction)
        .await
        .unwrap();
    let unlike = eater.link(LinkKind::Like, reply, false);
    let unlike = timeout(Duration::from_secs(5), unlike).await;
    unlike.unwrap().expect(204);
}

type Request<'r> = std::pin::Pin<Box<dyn Future<Output = Answer> + 'r>>;

#[tokio::test]
async fn a_command_is_decided_by_the_stored_blocks_and_audience() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let (baker, eater) = (api.person("baker").await, api.person("eater").await);
    miller.connection(baker.id, true).await.expect(200);
    baker.connection(miller.id, true).await.expect(200);
    let tag = miller.create_tag("mill").await.expect(201).id();
    miller.tag_member(tag, baker.id, true).await.expect(204);
    let create = async |audience: serde_json::Value| {
        let mut body = json!({"text": "flour"});
        for (field, value) in audience.as_object().unwrap() {
            body[field] = value.clone();
        }
        let answer = miller.command(Method::POST, "/v1/posts", Some(body)).await;
        answer.expect(201).id()
    };
    for (audience, baker_sees) in [
        (json!({"audience": "connections"}), true),
        (json!({"audience": "tags", "tags": [tag]}), true),
        (json!({"audience": "me"}), false),
    ] {
        let post = create(audience).await;
        let expected = if baker_sees { 204 } else { 404 };
        baker.like(post).await.expect(expected);
        eater.like(post).await.expect_problem(404, "not_found");
        if !baker_sees {
            continue;
        }
        let reply = baker.post("bread", Some(post)).await.expect(201).id();
        eater.like(reply).await.expect_problem(404, "not_found");
        // Also when the root post is deleted.
        miller.delete_post(post).await.expect(204);
        miller.like(reply).await.expect(204);
        eater.like(reply).await.expect_problem(404, "not_found");
    }
    let post = create(json!({"audience": "tags", "tags": [tag]})).await;
    miller
        .command(Method::DELETE, &format!("/v1/tags/{tag}"), None)
        .await
        .expect(204);
    baker.like(post).await.expect_problem(404, "not_found");
}
