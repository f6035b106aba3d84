use std::{net::SocketAddr, time::Duration};

use async_nats::{Client, connection::State};
use feedmill_service::nats;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    time::{sleep, timeout},
};

/// Accepts one client like a NATS server, and closes the connection after `duration`.
async fn serve(address: SocketAddr, duration: Duration) {
    let listener = TcpListener::bind(address).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    drop(listener);
    let (from, mut to) = stream.into_split();
    let info = r#"{"server_id":"x","server_name":"x","version":"2.15.1","proto":1,"go":"x","host":"127.0.0.1","port":0,"headers":true,"max_payload":1048576,"client_id":1}"#;
    to.write_all(format!("INFO {info}\r\n").as_bytes())
        .await
        .unwrap();
    let _ = timeout(duration, async {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.starts_with("PING") {
                to.write_all(b"PONG\r\n").await.unwrap();
            }
        }
    })
    .await;
}

async fn until(client: &Client, state: State) {
    for _ in 0..300 {
        if client.connection_state() == state {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("still {:?}, never {state:?}", client.connection_state());
}

#[tokio::test]
async fn the_client_connects_and_reconnects_in_the_background() {
    let address = ([127, 0, 0, 1], crate::port::unused()).into();
    let url = format!("nats://{address}");
    let client = timeout(Duration::from_secs(1), nats::connect(&url, "test"))
        .await
        .unwrap();
    assert_ne!(client.connection_state(), State::Connected);
    for _ in 0..2 {
        let server = tokio::spawn(serve(address, Duration::from_millis(500)));
        until(&client, State::Connected).await;
        server.await.unwrap();
        until(&client, State::Disconnected).await;
    }
}
