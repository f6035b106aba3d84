//! Server-sent events (WHATWG HTML, 9.2), and sending them to a client.

use std::time::Duration;

use bytes::Bytes;
use metrics::counter;
use tokio::{sync::mpsc, time::timeout};

/// Events that wait for the client to read them.
const BUFFERED_EVENTS: usize = 8;

/// The stream of a client that reads no event for so long is ended.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a stream ends.
#[derive(Debug)]
pub enum End {
    Slow,
    Gone,
    Expired,
    SessionEnded,
    Shutdown,
}

impl End {
    /// The label of `stream_ends_total`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Gone => "gone",
            Self::Expired => "expired",
            Self::SessionEnded => "session_ended",
            Self::Shutdown => "shutdown",
        }
    }
}

#[derive(Clone)]
pub struct EventSender(mpsc::Sender<Bytes>);

impl EventSender {
    pub fn new() -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(BUFFERED_EVENTS);
        (Self(sender), receiver)
    }

    /// `data` is JSON, which has no line breaks.
    pub async fn event(&self, name: &'static str, id: &str, data: &str) -> Result<(), End> {
        self.send(format!("event: {name}\nid: {id}\ndata: {data}\n\n"))
            .await?;
        counter!("stream_events_total", "event" => name).increment(1);
        Ok(())
    }

    /// Tells the client how long to wait before it reconnects, in milliseconds.
    pub async fn retry(&self, millis: u64) -> Result<(), End> {
        self.send(format!("retry: {millis}\n\n")).await
    }

    /// A comment, with an id: the client keeps the id, so that it can also resume an idle stream.
    pub async fn heartbeat(&self, id: &str) -> Result<(), End> {
        self.send(format!(": still here\nid: {id}\n\n")).await
    }

    /// Returns when the client has disconnected.
    pub async fn disconnected(&self) {
        self.0.closed().await;
    }

    async fn send(&self, text: String) -> Result<(), End> {
        match timeout(SEND_TIMEOUT, self.0.send(text.into())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Slow),
        }
    }
}
