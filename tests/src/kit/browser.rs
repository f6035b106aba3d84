//! A browser of a test's own.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Process, TempFolder, port, settings};

/// Chromium's driver, which starts the browser for a session.
pub struct Browser {
    /// The URL of the driver.
    pub driver: String,
    profile: TempFolder,
    _process: Process,
}

impl Browser {
    /// Panics without Chromium and its driver, with the driver's log.
    pub async fn start() -> Self {
        let profile = TempFolder::new();
        let (_, driver) = settings::browser();
        let port = port::unused();
        let url = format!("http://127.0.0.1:{port}");
        let mut process = Process::new("chromedriver", &driver, profile.path())
            .arguments(&[&format!("--port={port}")])
            .health(format!("{url}/status"));
        process.launch();
        process.ready().await;
        Self {
            driver: url,
            profile,
            _process: process,
        }
    }

    /// What a session is to be like. Nothing is requested but what the test requests.
    pub fn capabilities(&self) -> Map<String, Value> {
        let (chromium, _) = settings::browser();
        let profile = self.profile.path().join("profile");
        let options = json!({
            "binary": chromium,
            "args": [
                "--headless=new",
                // Chromium does not start its sandbox as root.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                format!("--user-data-dir={}", profile.display()),
            ],
        });
        let capabilities = [
            ("browserName", json!("chrome")),
            ("goog:chromeOptions", options),
            ("goog:loggingPrefs", json!({"browser": "ALL"})),
        ];
        capabilities
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }
}

/// Serves an empty page at an origin of its own, for as long as the test runs. Returns the origin.
pub async fn page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let page = "<!doctype html><title>page</title>";
            let response = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
            let _ = stream.write_all(response.as_bytes()).await;
        }
    });
    format!("http://{address}")
}
