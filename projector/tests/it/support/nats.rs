//! A nats-server per test, and a relay under the test's control.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use async_nats::{
    Client, HeaderMap,
    jetstream::{self, stream},
};
use feedmill_events::{Envelope, Partition, subject};
use uuid::Uuid;

pub struct Nats {
    port: u16,
    folder: PathBuf,
    child: Option<Child>,
    pub url: String,
}

impl Nats {
    /// Not started yet.
    pub fn absent() -> Self {
        let port = super::port::unused();
        let folder =
            std::env::temp_dir().join(format!("projector-test-{}", Uuid::new_v4().simple()));
        Self {
            port,
            folder,
            child: None,
            url: format!("nats://127.0.0.1:{port}"),
        }
    }

    pub async fn started() -> Self {
        let mut nats = Self::absent();
        nats.start().await;
        nats
    }

    pub async fn start(&mut self) {
        let binary = super::setting("NATS_SERVER_BIN", "a nats-server binary");
        let child = Command::new(binary)
            .args([
                "-js",
                "-a",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-sd",
            ])
            .arg(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..200 {
            if async_nats::connect(&self.url).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("nats-server does not answer on {}", self.url);
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub async fn client(&self) -> Client {
        async_nats::connect(&self.url).await.unwrap()
    }

    /// Creates the stream as the relay does, except for a shorter window in which duplicates are dropped.
    pub async fn make_stream(&self) -> stream::Stream {
        jetstream::new(self.client().await)
            .get_or_create_stream(stream::Config {
                name: subject::STREAM.to_owned(),
                subjects: vec![subject::ALL_EVENTS.to_owned()],
                duplicate_window: Duration::from_millis(100),
                ..stream::Config::default()
            })
            .await
            .unwrap()
    }

    /// Publishes events with these partitions and sequence numbers.
    pub async fn publish(&self, events: impl IntoIterator<Item = (&Envelope, (Partition, i64))>) {
        let context = jetstream::new(self.client().await);
        for (envelope, (partition, seq)) in events {
            let mut headers = HeaderMap::new();
            headers.insert(subject::MESSAGE_ID, subject::message_id(partition, seq));
            headers.insert(subject::EVENT_TYPE, envelope.event.event_type().name());
            let body = envelope.encode().unwrap().into();
            let ack = context
                .publish_with_headers(subject::events(partition), headers, body)
                .await;
            ack.unwrap().await.unwrap();
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
