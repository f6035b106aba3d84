//! A client of `GET /v1/stream`: server-sent events, parsed as the HTML standard of the WHATWG says.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};

use super::http::{Client, http};
use crate::openapi;

/// Unlike other answers, a stream has no end.
const STREAM_TIMEOUT: Duration = Duration::from_hours(24);

impl Client {
    /// Opens a stream at the client's read-api, from its beginning or behind an event.
    pub async fn stream(&self, last_event_id: Option<&str>) -> reqwest::Result<EventStream> {
        let request = http().get(format!("{}/v1/stream", self.read));
        let mut request = self.signed(request.timeout(STREAM_TIMEOUT));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        Ok(EventStream::new(request.send().await?.error_for_status()?))
    }
}

#[derive(Debug, Clone)]
pub struct ServerSentEvent {
    pub name: String,
    pub data: Value,
}

impl ServerSentEvent {
    /// The id of the item in its data; panics if there is none.
    pub fn id(&self) -> &str {
        self.data["id"].as_str().expect("an item with an id")
    }
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    response: Response,
    /// Bytes that were received and are not parsed yet.
    rest: Vec<u8>,
    /// What to send as `Last-Event-ID` when reconnecting.
    pub last_event_id: Option<String>,
    /// In milliseconds.
    pub retry: Option<u64>,
    /// Comments, which keep a quiet stream alive.
    pub comments: usize,
}

impl EventStream {
    /// Panics unless the answer is an event stream.
    pub fn new(response: Response) -> Self {
        assert_eq!(response.status(), 200, "{response:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            rest: vec![],
            last_event_id: None,
            retry: None,
            comments: 0,
        }
    }

    /// The next event; none when the stream has ended or failed.
    pub async fn next(&mut self) -> Option<ServerSentEvent> {
        let (mut name, mut data) = (String::new(), String::new());
        loop {
            let line = self.line().await?;
            let Some((field, value)) = line.split_once(':') else {
                if data.is_empty() {
                    name.clear();
                    continue;
                }
                let data: Value = serde_json::from_str(&data).expect("JSON");
                let event = json!({"event": name, "id": self.last_event_id, "data": data});
                openapi::check_event(&event)
                    .unwrap_or_else(|error| panic!("not as docs/openapi.json says: {error}"));
                return Some(ServerSentEvent { name, data });
            };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => self.comments += 1,
                "event" => value.clone_into(&mut name),
                "data" => data.push_str(value),
                "id" => self.last_event_id = Some(value.to_owned()),
                "retry" => self.retry = Some(value.parse().expect("milliseconds")),
                field => panic!("unknown field {field:?}"),
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.drain(..=end).collect();
                let line = String::from_utf8(line).expect("UTF-8");
                return Some(line.trim_end_matches('\n').to_owned());
            }
            let more = self.response.chunk().await.ok()??;
            self.rest.extend_from_slice(&more);
        }
    }
}
