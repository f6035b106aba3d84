//! Who comes into a group and leaves it, what they see, and what is deleted.

use std::time::Duration;

use feedmill_tests::{
    client::Client,
    kit::{Stack, StackConfig},
    log,
};
use serde_json::{Value, json};
use uuid::Uuid;

struct Group {
    stack: Stack,
    id: Uuid,
    /// Alice, Bob and Carol are the members at first.
    accounts: [Uuid; 4],
    clients: [Client; 4],
}

impl Group {
    async fn create() -> Self {
        let stack = Stack::start(StackConfig::default()).await;
        let client = stack.client();
        let account = async |handle| client.create_account(handle, handle).await.expect(201).id();
        let accounts = [
            account("alice").await,
            account("bob").await,
            account("carol").await,
            account("dave").await,
        ];
        let clients = accounts.map(|account| client.with_token(&stack.signer.token(account)));
        let started = clients[0].create_conversation(&accounts[1..3], Some("The mill"));
        let id = started.await.expect(201).id();
        Self {
            stack,
            id,
            accounts,
            clients,
        }
    }

    fn path(&self) -> String {
        format!("/v1/conversations/{}", self.id)
    }

    async fn send(&self, client: &Client, text: &str) -> Uuid {
        client.send_message(self.id, text).await.expect(201).id()
    }

    /// The texts of the messages that somebody sees, newest first.
    async fn texts(&self, client: &Client) -> Vec<Value> {
        let page = client.get(&format!("{}/messages", self.path())).await;
        let page = page.expect(200).json();
        let items = page["items"].as_array().expect("items");
        items.iter().map(|item| item["text"].clone()).collect()
    }

    async fn received_today(&self, client: &Client) -> Value {
        let digest = client.get("/v1/digest?period=week").await.expect(200);
        digest.json()["counters"]["messages_received"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_added_sees_what_is_written_from_then_on() {
    let group = Group::create().await;
    let [alice, bob, _, dave] = &group.clients;
    let before = group.send(alice, "Before").await;
    assert_eq!(dave.get(&group.path()).await.status, 404);
    let added = bob.set_member(group.id, group.accounts[3], true).await;
    added.expect(204);

    let joined = dave.get(&group.path()).await.expect(200).json();
    assert_eq!(joined["members"].as_array().map(Vec::len), Some(4));
    assert_eq!(joined["message_count"], 0);
    assert_eq!(joined["last_message"], Value::Null);
    let old = format!("{}/messages/{before}", group.path());
    assert_eq!(dave.get(&old).await.status, 404);
    assert_eq!(dave.mark_read(group.id, before).await.status, 404);

    group.send(alice, "After").await;
    assert_eq!(group.texts(dave).await, [json!("After")]);
    assert_eq!(group.texts(bob).await, [json!("After"), json!("Before")]);
    let listed = dave.get("/v1/conversations").await.expect(200).json();
    assert_eq!(listed["unread_total"], 1);
    assert_eq!(listed["items"][0]["message_count"], 1);
    assert_eq!(group.received_today(dave).await, 1);
    assert_eq!(group.received_today(bob).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_no_longer_has_the_group() {
    let group = Group::create().await;
    let [alice, bob, carol, _] = &group.clients;
    let message = group.send(alice, "For all").await;
    // Cached before.
    assert_eq!(group.texts(carol).await, [json!("For all")]);
    let messages = format!("{}/messages", group.path());
    let one = format!("{messages}/{message}");
    carol.get(&one).await.expect(200);

    let [_, b, c, _] = group.accounts;
    let other = carol.set_member(group.id, b, false).await;
    other.expect_problem(403, "not_yours");
    carol.set_member(group.id, c, false).await.expect(204);
    for path in [group.path(), messages, one] {
        assert_eq!(carol.get(&path).await.status, 404, "{path}");
    }
    let inbox = carol.get("/v1/conversations").await.expect(200).json();
    assert_eq!(
        (&inbox["total"], &inbox["unread_total"]),
        (&json!(0), &json!(0))
    );
    group.send(alice, "Without Carol").await;
    assert_eq!(group.received_today(carol).await, 1, "of her time");
    assert_eq!(carol.send_message(group.id, "Hello?").await.status, 404);
    let again = bob.set_member(group.id, c, true).await;
    again.expect_problem(409, "left_conversation");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_members_stays_and_nobody_sees_it() {
    let group = Group::create().await;
    group.send(&group.clients[0], "Hello").await;
    for (account, client) in group.accounts.iter().zip(&group.clients) {
        let left = client.set_member(group.id, *account, false).await;
        left.expect(204);
        assert_eq!(client.get(&group.path()).await.status, 404);
    }
    let pool = &group.stack.pool;
    let projected = log::wait_until_projected(pool, Duration::from_secs(30)).await;
    projected.expect("everything projected");
    let oracle = log::fold(pool).await.expect("a legal log");
    log::check_state(pool, &oracle).await.expect("its state");
    assert!(oracle.conversations[&group.id].members.is_empty());
    assert_eq!(oracle.conversations[&group.id].messages.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_message_is_gone_for_everyone() {
    let group = Group::create().await;
    let [alice, bob, carol, _] = &group.clients;
    let first = group.send(alice, "First").await;
    let other = bob.create_conversation(&[group.accounts[0]], None).await;
    let other = other.expect(201).id();
    let last = group.send(alice, "Last").await;
    assert_eq!(group.received_today(bob).await, 2);
    let list = async |client: &Client| {
        let list = client.get("/v1/conversations").await.expect(200);
        list.json()
    };
    assert_eq!(list(bob).await["items"][0]["id"], json!(group.id));

    let refused = bob.delete_message(group.id, last).await;
    refused.expect_problem(403, "not_yours");
    for _ in 0..2 {
        alice.delete_message(group.id, last).await.expect(204);
        bob.wait_for(&alice.positions());
        carol.wait_for(&alice.positions());
        let inbox = list(bob).await;
        assert_eq!(inbox["unread_total"], 1);
        assert_eq!(inbox["items"][0]["id"], json!(other), "later than the rest");
        assert_eq!(inbox["items"][1]["last_message"]["id"], json!(first));
        assert_eq!(inbox["items"][1]["message_count"], 1);
        assert_eq!(group.received_today(bob).await, 1);
    }
    let gone = format!("{}/messages/{last}", group.path());
    for client in [alice, bob, carol] {
        assert_eq!(client.get(&gone).await.status, 404);
        assert_eq!(group.texts(client).await, [json!("First")]);
    }
    let texts = "SELECT count(*) FROM conversations.messages WHERE text = 'Last'";
    let kept: i64 = sqlx::query_scalar(texts)
        .fetch_one(&group.stack.pool)
        .await
        .expect("a count");
    assert_eq!(kept, 0);
}
