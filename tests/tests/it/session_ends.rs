//! A session that is ended at one instance is refused by all instances of all services.

use std::time::{Duration, Instant};

use feedmill_tests::{
    client::{Answer, Client, EventStream, assert_problem, http},
    kit::{Stack, StackConfig, wait_until},
};
use reqwest::Method;
use tokio::time::timeout;

/// A client that is signed in.
async fn sign_in(client: &Client) -> Client {
    let session = client.sign_in("alice").await.expect(201).json();
    let token = session["access_token"].as_str().expect("an access token");
    client.with_token(token)
}

/// A read of its sessions at its write-api, and one of its profile at its read-api.
async fn reads(client: &Client) -> [Answer; 2] {
    let sessions = client.command(Method::GET, "/v1/sessions", None).await;
    let request = http().get(format!("{}/v1/me", client.read));
    [sessions, client.send(client.signed(request)).await]
}

async fn stream(client: &Client) -> EventStream {
    let mut stream = client.stream(None).await.expect("a stream");
    assert_eq!(stream.next().await.expect("an event").name, "unread");
    stream
}

/// The client at each pair of instances.
fn at_each(stack: &Stack, client: &Client) -> Vec<Client> {
    let pairs = stack.target.write.iter().zip(&stack.target.read);
    let at = |(write, read): (&String, &String)| client.with_write(write).with_read(read);
    pairs.map(at).collect()
}

/// Signs out at the last instance of write-api, and measures until every instance refuses the token and has ended its stream.
async fn sign_out(stack: &Stack, client: &Client, how: &str) {
    let everywhere = at_each(stack, client);
    let mut streams = Vec::new();
    for client in &everywhere {
        for answer in reads(client).await {
            answer.expect(200);
        }
        streams.push(stream(client).await);
    }
    // The read-apis poll the first one, which has to read it from the database.
    let last = everywhere.last().expect("an instance");
    let answer = last.command(Method::DELETE, "/v1/sessions/current", None);
    answer.await.expect(204);
    let ended = Instant::now();
    let is_refused = async |client: &Client| {
        let answers = reads(client).await;
        answers.iter().all(|answer| answer.status == 401)
    };
    for client in &everywhere {
        wait_until("every instance refuses the token", async || {
            is_refused(client).await
        })
        .await;
    }
    let refused = ended.elapsed();
    for stream in &mut streams {
        let end = timeout(Duration::from_secs(30), stream.next()).await;
        assert!(end.expect("the end of the stream").is_none());
    }
    println!(
        "{how}: refused everywhere after {refused:?}, streams ended after {:?}",
        ended.elapsed()
    );
    for client in &everywhere {
        for answer in reads(client).await {
            assert_problem(&answer, 401, how);
            assert_eq!(answer.json()["code"], "session_ended", "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_is_refused_everywhere() {
    let mut stack = Stack::start(StackConfig {
        write: 2,
        read: 2,
        ..StackConfig::default()
    })
    .await;
    let client = stack.client();
    client.create_account("alice", "Alice").await.expect(201);
    let [first, second, third] = [
        sign_in(&client).await,
        sign_in(&client).await,
        sign_in(&client).await,
    ];
    // Every read-api knows the account.
    for client in at_each(&stack, &first) {
        client.get("/v1/me").await.expect(200);
    }
    sign_out(&stack, &first, "with NATS").await;
    stack.nats.kill();
    sign_out(&stack, &second, "without NATS").await;
    for answer in reads(&third).await {
        answer.expect(200);
    }
    // An instance that starts now knows both.
    stack.read[1].restart().await;
    for client in [&first, &second] {
        let client = client.with_read(&stack.target.read[1]);
        let [_, me] = reads(&client).await;
        assert_problem(&me, 401, "after a restart");
    }
}
