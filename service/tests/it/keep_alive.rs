//! How long a connection lives without a request, and with a part of one.

use std::time::{Duration, Instant};

use axum::{Router, routing::get};
use feedmill_service::HttpArgs;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    h2_frames::{self, PREFACE},
    support::{Server, short_limits, start},
};

const HEADER_TIMEOUT: Duration = Duration::from_millis(300);
const IDLE_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Much longer than either, for slow machines.
const TIMEOUT: Duration = Duration::from_secs(20);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

async fn server(idle_timeout: Duration) -> Server {
    let args = HttpArgs {
        header_timeout: HEADER_TIMEOUT,
        idle_timeout,
        ..short_limits()
    };
    start(Router::new().route("/", get(|| async { "hello" })), args).await
}

/// Sends a request and reads its response; the connection stays open.
async fn exchange(stream: &mut TcpStream) {
    stream.write_all(REQUEST).await.unwrap();
    let (mut answer, mut part) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"hello") {
        let length = timeout(TIMEOUT, stream.read(&mut part)).await.unwrap();
        let length = length.unwrap();
        assert_ne!(length, 0, "the connection was closed instead of a response");
        answer.extend_from_slice(&part[..length]);
    }
}

/// Waits until the server closes the connection.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A connection that is reset is closed too.
    let _ = timeout(TIMEOUT, stream.read_to_end(&mut rest))
        .await
        .expect("the connection stays open");
}

#[tokio::test]
async fn an_idle_connection_outlives_the_header_timeout_and_ends_after_the_idle_timeout() {
    let server = server(IDLE_TIMEOUT).await;
    let begun = Instant::now();
    let mut fresh = server.connect().await;
    let mut used = server.connect().await;
    exchange(&mut used).await;
    sleep(2 * HEADER_TIMEOUT).await;
    let used_again = Instant::now();
    exchange(&mut used).await;
    closed(&mut fresh).await;
    assert!(begun.elapsed() >= IDLE_TIMEOUT, "a new connection");
    closed(&mut used).await;
    assert!(used_again.elapsed() >= IDLE_TIMEOUT, "after a request");
}

#[tokio::test]
async fn a_half_sent_header_ends_after_the_header_timeout() {
    let server = server(Duration::from_mins(10)).await;
    for requests_before in 0..3 {
        let mut stream = server.connect().await;
        for _ in 0..requests_before {
            exchange(&mut stream).await;
            sleep(2 * HEADER_TIMEOUT).await;
        }
        let begun = Instant::now();
        stream.write_all(&REQUEST[..20]).await.unwrap();
        closed(&mut stream).await;
        assert!(
            begun.elapsed() >= HEADER_TIMEOUT,
            "after {requests_before} requests"
        );
    }
}

#[tokio::test]
async fn a_client_of_http_2_may_be_idle_too() {
    let server = server(IDLE_TIMEOUT).await;
    let stream = server.connect().await;
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..2 {
        let uri = server.url("/").parse().unwrap();
        let mut request = axum::http::Request::new(());
        *request.uri_mut() = uri;
        client = client.ready().await.unwrap();
        let (response, _) = client.send_request(request, true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        sleep(2 * HEADER_TIMEOUT).await;
    }
    // The server says so before it closes the connection.
    let ended = timeout(TIMEOUT, connection).await;
    let ended = ended.expect("the connection stays open").unwrap();
    assert!(ended.is_ok(), "{ended:?}");
}

#[tokio::test]
async fn a_half_sent_header_of_http_2_ends_after_the_header_timeout() {
    let server = server(Duration::from_mins(10)).await;
    let settings = [PREFACE, &h2_frames::settings(&[])].concat();
    let request = h2_frames::get(1);
    let continued = h2_frames::frame(h2_frames::HEADERS, 0, 3, &request[9..]);
    let starts = [
        PREFACE.to_vec(),
        [&settings[..], &request[..12]].concat(),
        // A request, and half of the next one.
        [&settings[..], &request, &h2_frames::get(3)[..12]].concat(),
        // A header that needs a CONTINUATION frame.
        [&settings[..], &request, &continued].concat(),
    ];
    for bytes in starts {
        let mut stream = server.connect().await;
        let begun = Instant::now();
        stream.write_all(&bytes).await.unwrap();
        closed(&mut stream).await;
        assert!(
            begun.elapsed() >= HEADER_TIMEOUT,
            "the connection was closed too early after {bytes:?}"
        );
    }
}
