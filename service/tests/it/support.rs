//! A server on a free port, a client, and assertions on responses.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use feedmill_service::{Health, HttpArgs, Shutdown, http};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct Server {
    pub address: SocketAddr,
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
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, health) = (Shutdown::new(), Health::new());
    let app = http::standard(app, &args, &health);
    let token = shutdown.clone();
    let task = tokio::spawn(async move { http::serve(listener, app, &args, token).await.unwrap() });
    Server {
        address,
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

    pub async fn get(&self, path: &str) -> reqwest::Response {
        client().get(self.url(path)).send().await.unwrap()
    }
}

pub fn client() -> reqwest::Client {
    feedmill_service::telemetry::install_crypto_provider();
    reqwest::Client::new()
}

/// Sends bytes unchanged and reads until the server closes the connection.
pub async fn send_raw(stream: &mut TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Asserts that the response is a problem document, and gives it.
pub async fn problem(response: reqwest::Response, status: u16, code: &str) -> Value {
    let headers = response.headers().clone();
    let actual = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert_eq!(actual, status, "{text}");
    assert_eq!(
        headers["content-type"], "application/problem+json",
        "{text}"
    );
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["code"], code, "{text}");
    assert_eq!(document["status"], status, "{text}");
    assert_eq!(
        document["type"],
        format!("urn:feedmill:problem:{code}"),
        "{text}"
    );
    for name in ["title", "detail"] {
        assert!(
            document[name].as_str().is_some_and(|text| !text.is_empty()),
            "{name} in {text}"
        );
    }
    document
}
