use std::time::Duration;

use async_nats::{Client, connection::State};
use feedmill_service::{NatsArgs, nats};
use feedmill_tests::kit::{Nats, wait_until};
use tokio::time::timeout;

async fn until(client: &Client, state: State) {
    let reached = async || client.connection_state() == state;
    wait_until(&format!("the client is {state:?}"), reached).await;
}

#[tokio::test]
async fn the_client_connects_and_reconnects_in_the_background() {
    let mut server = Nats::absent();
    let args = NatsArgs::at(&server.url());
    let connecting = timeout(Duration::from_secs(10), nats::connect(&args, "test"));
    let client = connecting.await.expect("a client without a server");
    assert_ne!(client.connection_state(), State::Connected);
    for _ in 0..2 {
        server.launch().await;
        until(&client, State::Connected).await;
        server.kill();
        until(&client, State::Disconnected).await;
    }
}
