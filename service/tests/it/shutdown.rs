use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use feedmill_service::{HttpArgs, Shutdown};
use feedmill_tests::{
    client::Answer,
    kit::{signal, wait_until},
};
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::support::{Server, send_raw, start};

const LIMIT: Duration = Duration::from_secs(10);

/// A server with an idle connection and a request in flight, which ends when `finish` is notified.
struct Busy {
    server: Server,
    idle: TcpStream,
    request: JoinHandle<reqwest::Result<Answer>>,
    finish: Arc<Notify>,
}

impl Busy {
    async fn start() -> Self {
        let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (begin, end) = (Arc::clone(&begun), Arc::clone(&finish));
        let handler = async move || {
            begin.notify_one();
            end.notified().await;
            "finished"
        };
        let minute = Duration::from_mins(1);
        let args = HttpArgs {
            header_timeout: minute,
            request_timeout: minute,
            ..HttpArgs::default()
        };
        let server = start(Router::new().route("/", get(handler)), args).await;
        let idle = server.connect().await;
        let client = server.client.clone();
        let request = client.request(Method::GET, "/");
        let request = tokio::spawn(async move { client.try_send(request).await });
        begun.notified().await;
        Self {
            server,
            idle,
            request,
            finish,
        }
    }
}

#[tokio::test]
async fn soft_finishes_requests_in_flight_and_refuses_new_connections() {
    let mut busy = Busy::start().await;
    busy.server.shutdown.soft.cancel();
    let address = busy.server.address;
    wait_until("new connections are refused", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    let idle = timeout(LIMIT, send_raw(&mut busy.idle, b"")).await;
    assert_eq!(idle.expect("idle connections are closed"), "");
    busy.finish.notify_one();
    assert_eq!(busy.request.await.unwrap().unwrap().body, "finished");
    let stopped = timeout(LIMIT, &mut busy.server.task).await;
    stopped.unwrap().unwrap();
}

/// A response of HTTP/1.1 with a body of this length, or none if the connection was closed before it.
async fn response(stream: &mut TcpStream, body: &str) -> Option<String> {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .ok()?;
    let (mut answer, mut part) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(body.as_bytes()) {
        match timeout(LIMIT, stream.read(&mut part)).await.unwrap() {
            Ok(0) | Err(_) => return None,
            Ok(length) => answer.extend_from_slice(&part[..length]),
        }
    }
    Some(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn a_client_that_closes_its_connection_when_asked_loses_no_request() {
    let app = Router::new().route(
        "/",
        get(async || {
            sleep(Duration::from_millis(5)).await;
            "hello"
        }),
    );
    let server = start(app, HttpArgs::default()).await;
    let mut clients = JoinSet::new();
    for _ in 0..12 {
        let mut stream = server.connect().await;
        clients.spawn(async move {
            let mut complete = 0;
            loop {
                let answer = response(&mut stream, "hello").await;
                let answer = answer.unwrap_or_else(|| panic!("cut after {complete} responses"));
                complete += 1;
                if answer.contains("connection: close") {
                    return complete;
                }
            }
        });
    }
    sleep(Duration::from_millis(200)).await;
    server.shutdown.drain.cancel();
    for complete in clients.join_all().await {
        assert!(complete > 2, "{complete} responses");
    }
    // A new connection is served, too, once.
    let mut late = server.connect().await;
    let answer = response(&mut late, "hello").await.expect("a response");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(timeout(LIMIT, send_raw(&mut late, b"")).await.unwrap(), "");
}

#[tokio::test]
async fn a_client_of_http_2_is_told_to_go_away_and_gets_its_answers() {
    let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begin, end) = (Arc::clone(&begun), Arc::clone(&finish));
    let app = Router::new().route(
        "/",
        get(async move || {
            begin.notify_one();
            end.notified().await;
            "hello"
        }),
    );
    let server = start(app, HttpArgs::default()).await;
    let (mut send, connection) = h2::client::handshake(server.connect().await).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = || axum::http::Request::get(server.url("/")).body(()).unwrap();
    let (answer, _) = send.send_request(request(), true).unwrap();
    begun.notified().await;
    server.shutdown.drain.cancel();
    // No new request after GOAWAY, and the one in flight is answered.
    wait_until("the client is told to go away", async || {
        let ready = send.clone().ready().await;
        ready.is_err() || send.send_request(request(), true).is_err()
    })
    .await;
    finish.notify_waiters();
    finish.notify_one();
    assert_eq!(answer.await.unwrap().status(), 200);
    drop(send);
    timeout(LIMIT, connection)
        .await
        .expect("the connection ends")
        .unwrap()
        .ok();
}

#[tokio::test]
async fn a_connection_of_http_2_that_begins_meanwhile_is_told_too() {
    let server = start(
        Router::new().route("/", get(async || "hello")),
        HttpArgs::default(),
    )
    .await;
    server.shutdown.drain.cancel();
    let (mut send, connection) = h2::client::handshake(server.connect().await).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = axum::http::Request::get(server.url("/")).body(()).unwrap();
    let (answer, _) = send.send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    wait_until("the client is told to go away", async || {
        send.clone().ready().await.is_err()
    })
    .await;
    drop(send);
    let ended = timeout(LIMIT, connection).await;
    ended.expect("the connection ends").unwrap().ok();
}

#[tokio::test]
async fn hard_closes_all_connections() {
    let mut busy = Busy::start().await;
    busy.server.shutdown.soft.cancel();
    sleep(Duration::from_millis(300)).await;
    assert!(!busy.request.is_finished(), "soft cancelled a request");
    busy.server.shutdown.hard.cancel();
    let stopped = timeout(LIMIT, &mut busy.server.task).await;
    stopped.unwrap().unwrap();
    assert!(busy.request.await.unwrap().is_err());
}

#[tokio::test]
async fn sigterm_drains_then_is_soft_and_the_end_of_the_grace_period_is_hard() {
    let shutdown =
        Shutdown::on_signals(Duration::from_millis(300), Duration::from_millis(300)).unwrap();
    assert!(signal("TERM", &[std::process::id()]));
    timeout(LIMIT, shutdown.drain.cancelled()).await.unwrap();
    assert!(!shutdown.soft.is_cancelled());
    timeout(LIMIT, shutdown.soft.cancelled()).await.unwrap();
    assert!(!shutdown.hard.is_cancelled());
    timeout(LIMIT, shutdown.hard.cancelled()).await.unwrap();

    // A second signal skips what is left. In the same test, since all tests get the signals of this process.
    let shutdown = Shutdown::on_signals(LIMIT, LIMIT).unwrap();
    assert!(signal("TERM", &[std::process::id()]));
    timeout(LIMIT, shutdown.drain.cancelled()).await.unwrap();
    assert!(!shutdown.soft.is_cancelled());
    assert!(signal("TERM", &[std::process::id()]));
    let both = async {
        shutdown.soft.cancelled().await;
        shutdown.hard.cancelled().await;
    };
    timeout(LIMIT / 4, both).await.unwrap();
}
