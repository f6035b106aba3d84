//! What the tests of live updates share.

use std::time::Duration;

use feedmill_tests::{
    client::{Client, EventStream, ServerSentEvent},
    kit::Target,
};
use tokio::time::timeout;
use uuid::Uuid;

/// An event arrives within this time, even on a machine that is busy with other tests.
const EVENT_TIMEOUT: Duration = Duration::from_mins(1);

/// A new stream, after its first event.
pub async fn open(client: &Client) -> EventStream {
    let mut stream = client.stream(None).await.expect("a stream");
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
