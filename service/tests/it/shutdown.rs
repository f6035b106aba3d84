use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use feedmill_service::{HttpArgs, Shutdown};
use feedmill_tests::{
    client::Answer,
    kit::{signal, wait_until},
};
use reqwest::Method;
use tokio::{
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
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
async fn sigterm_is_soft_and_the_end_of_the_grace_period_is_hard() {
    let shutdown = Shutdown::on_signals(Duration::from_millis(300)).unwrap();
    assert!(signal("TERM", &[std::process::id()]));
    timeout(LIMIT, shutdown.soft.cancelled()).await.unwrap();
    assert!(!shutdown.hard.is_cancelled());
    timeout(LIMIT, shutdown.hard.cancelled()).await.unwrap();
}
