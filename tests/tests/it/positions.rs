//! A read with a position waits for exactly the projections that its answer is made of.

use feedmill_events::Projection;
use feedmill_tests::{
    client::{Client, assert_problem, http},
    kit::{Stack, StackConfig, wait_until},
};

use crate::scene::{Request, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn reads_wait_for_their_projections_and_for_no_others() {
    let stack = Stack::start(StackConfig::default()).await;
    let scene = Scene::create(&stack).await;
    let alice = scene.alice(&stack);
    for read in scene.reads() {
        read.send(&alice).await.expect(200);
    }
    for projection in Projection::ALL {
        let name = projection.name();
        let projector = |arguments: &[&str]| {
            let output = stack.run("projector", arguments);
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        };
        projector(&["pause", name, "--by", "test", "--reason", "test"]);
        wait_until("paused", async || is_paused(&stack, projection).await).await;
        alice.post("While it is paused", None).await.expect(201);
        for read in scene.reads() {
            let waits = read.endpoint.projections.contains(&projection);
            let context = format!("GET {} while {name} is paused", read.path);
            if waits {
                let answer = get(&alice, &read, "wait=0").await;
                assert_problem(&answer, 503, &context);
                assert_eq!(answer.json()["code"], "projection_behind", "{context}");
            } else {
                let answer = get(&alice, &read, "wait=10").await;
                assert_eq!(answer.status, 200, "{context}: {answer:?}");
            }
        }
        projector(&["resume", name]);
        for read in scene.reads() {
            let answer = get(&alice, &read, "wait=10").await;
            assert_eq!(answer.status, 200, "{} after {name}", read.path);
        }
    }
}

/// Whether a projector that runs has stopped applying: a new event stays behind.
async fn is_paused(stack: &Stack, projection: Projection) -> bool {
    let behind = async || -> bool {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM write.partitions AS p
                JOIN projector.projections AS j ON j.name = $1
                JOIN projector.checkpoints AS c
                    ON (c.projection, c.generation, c.partition) = (j.name, j.generation, p.id)
                WHERE c.seq < p.head)",
        )
        .bind(projection.name())
        .fetch_one(&stack.pool)
        .await
        .expect("the checkpoints")
    };
    let account: uuid::Uuid = sqlx::query_scalar("SELECT id FROM write.accounts LIMIT 1")
        .fetch_one(&stack.pool)
        .await
        .expect("an account");
    let client = stack.client_of(account);
    client.post("A probe", None).await.expect(201);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    behind().await
}

/// With this client's position.
async fn get(client: &Client, read: &Request, prefer: &str) -> feedmill_tests::client::Answer {
    let request = http()
        .get(format!("{}{}", client.read, read.path))
        .header("Feedmill-Min-Position", client.position())
        .header("Prefer", prefer);
    client.send(client.signed(request)).await
}
