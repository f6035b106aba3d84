use std::time::Duration;

use axum::{Router, routing::get};
use feedmill_service::{HttpArgs, Shutdown};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{Server, send_raw, start};

async fn server() -> Server {
    let wait = |millis| async move {
        sleep(Duration::from_millis(millis)).await;
        "finished"
    };
    let app = Router::new()
        .route("/short", get(move || wait(500)))
        .route("/long", get(move || wait(30_000)));
    start(
        app,
        HttpArgs {
            request_timeout: Duration::from_mins(1),
            ..HttpArgs::default()
        },
    )
    .await
}

#[tokio::test]
async fn soft_finishes_requests_in_flight_and_refuses_new_connections() {
    let mut server = server().await;
    let url = server.url("/short");
    let request =
        tokio::spawn(async move { crate::support::client().get(url).send().await.unwrap() });
    let mut idle = server.connect().await;
    sleep(Duration::from_millis(200)).await;
    server.shutdown.soft.cancel();
    sleep(Duration::from_millis(50)).await;
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "new connections are still accepted"
    );
    assert_eq!(
        timeout(Duration::from_secs(1), send_raw(&mut idle, b""))
            .await
            .unwrap(),
        ""
    );
    assert_eq!(request.await.unwrap().text().await.unwrap(), "finished");
    timeout(Duration::from_secs(1), &mut server.task)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn hard_closes_all_connections() {
    let mut server = server().await;
    let url = server.url("/long");
    let request = tokio::spawn(async move { crate::support::client().get(url).send().await });
    sleep(Duration::from_millis(200)).await;
    server.shutdown.soft.cancel();
    assert!(
        timeout(Duration::from_millis(300), &mut server.task)
            .await
            .is_err(),
        "soft cancelled a request"
    );
    server.shutdown.hard.cancel();
    timeout(Duration::from_secs(1), &mut server.task)
        .await
        .unwrap()
        .unwrap();
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn sigterm_is_soft_and_the_end_of_the_grace_period_is_hard() {
    let shutdown = Shutdown::on_signals(Duration::from_millis(300)).unwrap();
    let kill = std::process::Command::new("kill")
        .arg(std::process::id().to_string())
        .status();
    assert!(kill.unwrap().success());
    timeout(Duration::from_secs(2), shutdown.soft.cancelled())
        .await
        .unwrap();
    assert!(!shutdown.hard.is_cancelled());
    timeout(Duration::from_secs(2), shutdown.hard.cancelled())
        .await
        .unwrap();
}
