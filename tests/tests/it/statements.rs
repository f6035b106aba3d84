//! How many statements a read takes, counted by PostgreSQL, in the default configuration.

use std::time::Duration;

use feedmill_tests::{
    client::Client,
    endpoints::Kind,
    kit::{Role, Stack, StackConfig, reset_statement_counts, statement_counts, wait_until},
    link::LinkKind,
    log,
};
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use crate::scene::{Request, Scene, with_query};

#[tokio::test(flavor = "multi_thread")]
async fn reads_keep_to_their_bounds_of_statements() {
    let stack = Stack::start(StackConfig::default()).await;
    let scene = Scene::create(&stack).await;
    let waiting = scene.alice(&stack);
    for read in scene.reads() {
        read.send(&waiting).await.expect(200);
    }
    // Without a position to wait for.
    let alice = stack.client_of(scene.alice);
    for (round, read) in scene.reads().into_iter().enumerate() {
        let bound = read.endpoint.max_statements;
        change_everything(&stack, &scene, round).await;
        let mut cold = Vec::new();
        // Until the announcements of the changes have arrived, the answer is still cached. After its start, read-api may also
        // have loaded the changed feed by itself.
        wait_until("a read that is not cached", async || {
            cold = statements(&stack.pool, &alice, &read).await;
            if cold.is_empty() {
                change_everything(&stack, &scene, round).await;
            }
            !cold.is_empty()
        })
        .await;
        assert!(
            count(&cold) <= bound,
            "{} with nothing cached: {cold:#?}, more than {bound}",
            read.path
        );
        println!("{} statements for {}", count(&cold), read.path);
        let warm = statements(&stack.pool, &alice, &read).await;
        assert!(warm.is_empty(), "{}, cached: {warm:#?}", read.path);
        if read.endpoint.kind != Kind::List {
            continue;
        }
        // Another page of the same list, whose posts are cached.
        let path = with_query(&read.path, "limit=1");
        let page = Request { path, ..read };
        let partly = statements(&stack.pool, &alice, &page).await;
        assert!(
            count(&partly) <= bound,
            "{} with cached posts: {partly:#?}, more than {bound}",
            page.path
        );
    }
}

/// Changes every account, post and conversation of the scene, so that nothing that is cached is fresh any more.
async fn change_everything(stack: &Stack, scene: &Scene, round: usize) {
    for account in [scene.alice, scene.bob, scene.carol] {
        let name = json!({"display_name": format!("Name {round}")});
        let client = stack.client_of(account);
        client.change_profile(name).await.expect(200);
    }
    let bob = stack.client_of(scene.bob);
    let like = bob.link(LinkKind::Like, scene.post, round % 2 == 1).await;
    like.expect(204);
    let alice = stack.client_of(scene.alice);
    let block = alice.block(scene.dave, round.is_multiple_of(2)).await;
    block.expect(204);
    let name = json!({"name": format!("family {round}")});
    let path = format!("/v1/tags/{}", scene.tag);
    let renamed = alice.command(Method::PATCH, &path, Some(name)).await;
    renamed.expect(200);
    bob.send_message(scene.conversation, "Another message")
        .await
        .expect(201);
    log::wait_until_projected(&stack.pool, Duration::from_secs(30))
        .await
        .expect("everything projected");
}

fn count(statements: &[(i64, String)]) -> i64 {
    statements.iter().map(|(calls, _)| calls).sum()
}

/// The statements that one read takes, and how often.
async fn statements(pool: &PgPool, client: &Client, read: &Request) -> Vec<(i64, String)> {
    reset_statement_counts(pool).await;
    read.send(client).await.expect(200);
    statement_counts(pool, Role::ReadApi).await
}
