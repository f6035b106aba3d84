//! The stream of events, filled by the test in place of the relay.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        stream::{self, Stream},
    },
};
use feedmill_events::{
    Envelope, EventKey, Partition,
    mac::LoggedMessage,
    subject::{self, MessageId, Signature},
};
use feedmill_tests::kit::{Nats, event_key, wait_until};

use super::old;

/// Creates the stream as the relay does, except for a shorter window in which duplicates are dropped.
pub async fn create_stream(nats: &Nats) -> Stream {
    jetstream::new(nats.client().await)
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
pub async fn publish(nats: &Nats, events: impl IntoIterator<Item = (&Envelope, (Partition, i64))>) {
    publish_signed(&event_key(), nats, events).await;
}

/// The same, signed with another key than the log's.
pub async fn publish_signed(
    key: &EventKey,
    nats: &Nats,
    events: impl IntoIterator<Item = (&Envelope, (Partition, i64))>,
) {
    let context = jetstream::new(nats.client().await);
    for (envelope, (partition, seq)) in events {
        let mut headers = HeaderMap::new();
        // As the log has it.
        let (event_type, body) = (envelope.event.event_type().name(), old::encode(envelope));
        let code = key.sign(&LoggedMessage {
            partition,
            seq,
            event_type,
            trace: None,
            body: &body,
        });
        let id = MessageId {
            partition,
            seq,
            signature: Some(Signature {
                code: &code,
                opened: 0,
            }),
        };
        headers.insert(subject::MESSAGE_ID, id.to_string());
        headers.insert(subject::EVENT_TYPE, event_type);
        let ack = context
            .publish_with_headers(subject::events(partition), headers, body.into())
            .await;
        ack.unwrap().await.unwrap();
    }
}

/// Waits until a worker has a consumer, which delivers everything that is published afterwards.
pub async fn has_consumer(stream: &Stream) {
    wait_until("the stream has a consumer", async || {
        let info = stream.get_info().await;
        info.is_ok_and(|info| info.state.consumer_count > 0)
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
}
