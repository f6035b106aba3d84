//! A server with chosen limits on a free port, and clients of it.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use feedmill_service::{Health, HttpArgs, Shutdown, http, telemetry};
use feedmill_tests::client::{Answer, Client};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct Server {
    pub address: SocketAddr,
    pub client: Client,
    pub shutdown: Shutdown,
    pub health: Health,
    pub task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.now();
    }
}

/// Limits short enough for a test.
pub fn short_limits() -> HttpArgs {
    HttpArgs {
        header_timeout: Duration::from_millis(400),
        request_timeout: Duration::from_millis(800),
        body_limit: 1000,
        ..HttpArgs::default()
    }
}

pub async fn start(app: Router, args: HttpArgs) -> Server {
    serve(http::standard(app, &args), args, Health::new()).await
}

/// What operators see.
pub async fn start_admin(args: HttpArgs) -> Server {
    let health = Health::new();
    serve(
        http::admin(Router::new(), http::Pages::default(), &args, &health),
        args,
        health,
    )
    .await
}

async fn serve(app: Router, args: HttpArgs, health: Health) -> Server {
    // As `telemetry::init` does: requests before the recorder is installed are not counted.
    telemetry::metrics();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let token = shutdown.clone();
    let task = tokio::spawn(async move { http::serve(listener, app, &args, token).await.unwrap() });
    let url = format!("http://{address}");
    Server {
        address,
        client: Client::new(&url, &url),
        shutdown,
        health,
        task,
    }
}

impl Server {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.client.get(path).await
    }
}

/// A client that speaks only HTTP/2.
pub fn http_2() -> reqwest::Client {
    telemetry::install_crypto_provider();
    let builder = reqwest::Client::builder().http2_prior_knowledge();
    builder.build().unwrap()
}

/// Sends bytes unchanged and reads until the server closes the connection.
pub async fn send_raw(stream: &mut TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}
