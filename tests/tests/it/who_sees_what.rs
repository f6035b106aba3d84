//! Who sees what: audiences, blocks, and what follows from them.

mod audiences;
mod blocks;
mod explain;
mod hidden;

use feedmill_events::event::v1::Audience;
use feedmill_tests::{
    client::Client,
    kit::{Stack, StackConfig},
    link::LinkKind,
};
use serde_json::Value;
use uuid::Uuid;

/// Four accounts that have nothing to do with each other. Their clients wait for each other's commands.
struct People {
    accounts: [Uuid; 4],
    clients: [Client; 4],
    stack: Stack,
}

impl People {
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
        Self {
            accounts,
            clients: accounts.map(|account| client.with_token(&stack.signer.token(account))),
            stack,
        }
    }

    /// Connects the first account with each of these.
    async fn connect_first_with(&self, others: &[usize]) {
        for other in others {
            let asked = self.clients[*other].connection(self.accounts[0], true);
            asked.await.expect(200);
            let accepted = self.clients[0].connection(self.accounts[*other], true);
            accepted.await.expect(200);
        }
    }
}

async fn post(client: &Client, text: &str) -> Uuid {
    client.post(text, None).await.expect(201).id()
}

async fn post_to(client: &Client, audience: &Audience, text: &str) -> Uuid {
    client.post_to(audience, text).await.expect(201).id()
}

async fn reply(client: &Client, parent: Uuid, text: &str) -> Uuid {
    client.post(text, Some(parent)).await.expect(201).id()
}

/// A tag with this member.
async fn tag_with(client: &Client, name: &str, member: Uuid) -> Uuid {
    let tag = client.create_tag(name).await.expect(201).id();
    client.tag_member(tag, member, true).await.expect(204);
    tag
}

async fn one(client: &Client, path: &str) -> Value {
    client.get(path).await.expect(200).json()
}

async fn status(client: &Client, path: &str) -> u16 {
    client.get(path).await.status.as_u16()
}

/// The ids of a list. The pages are small, and each but the last must be full.
async fn ids(client: &Client, path: &str) -> Vec<Uuid> {
    let pages = client.pages(path, 2).await.expect("full pages");
    let id = |item: &Value| item["id"].as_str().and_then(|id| id.parse().ok());
    let ids = pages
        .items
        .iter()
        .map(|item| id(item).expect("an item with an id"));
    ids.collect()
}

async fn bookmark(client: &Client, post: Uuid) {
    let answer = client.link(LinkKind::Bookmark, post, true).await;
    answer.expect(204);
}
