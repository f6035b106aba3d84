//! What the tests of live updates share.

use std::time::Duration;

use feedmill_tests::{
    client::{Client, EventStream, ServerSentEvent, http},
    kit::Target,
};
use tokio::time::timeout;
use uuid::Uuid;

/// An event arrives within this time, even on a machine that is busy with other tests.
const EVENT_TIMEOUT: Duration = Duration::from_mins(1);

/// Opens a stream at the client's read-api.
pub async fn try_open(
    client: &Client,
    last_event_id: Option<&str>,
) -> reqwest::Result<EventStream> {
    // Unlike other answers, it has no end.
    let day = Duration::from_hours(24);
    let request = http().get(format!("{}/v1/stream", client.read));
    let mut request = client.signed(request.timeout(day));
    if let Some(id) = last_event_id {
        request = request.header("Last-Event-ID", id);
    }
    Ok(EventStream::new(request.send().await?.error_for_status()?))
}

/// The same, after its first event.
pub async fn open(client: &Client) -> EventStream {
    let mut stream = try_open(client, None).await.expect("a stream");
    assert_eq!(next(&mut stream).await.name, "unread");
    stream
}

pub async fn next(stream: &mut EventStream) -> ServerSentEvent {
    let event = timeout(EVENT_TIMEOUT, stream.next()).await;
    event.expect("an event in time").expect("an open stream")
}

/// The next event with this name; others are skipped.
pub async fn next_named(stream: &mut EventStream, name: &str) -> ServerSentEvent {
    loop {
        let event = next(stream).await;
        if event.name == name {
            return event;
        }
    }
}

pub async fn account(target: &Target, handle: &str) -> Uuid {
    let answer = target.client().create_account(handle, handle).await;
    answer.expect(201).id()
}
