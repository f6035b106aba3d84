//! A message of the stream, once it is known to be the relay's.

use async_nats::Message;
use feedmill_events::{
    EventKey, Partition,
    mac::LoggedMessage,
    subject::{self, MessageId},
};
use feedmill_service::nats::report_unauthentic;

/// What the headers of an authentic message say.
#[derive(Debug)]
pub struct StreamMessage {
    pub partition: Partition,
    pub seq: i64,
    /// The name of the event's type.
    pub kind: String,
    /// The W3C traceparent of the request that caused it.
    pub trace: Option<String>,
}

impl StreamMessage {
    /// None for a message that the relay of this installation did not publish, which is counted and at times logged. The log
    /// has what it may stand for.
    pub fn verify(message: &Message, key: &EventKey) -> Option<Self> {
        let verified = Self::read(message, key);
        if verified.is_none() {
            report_unauthentic(&message.subject);
        }
        verified
    }

    fn read(message: &Message, key: &EventKey) -> Option<Self> {
        let header = |name| Some(message.headers.as_ref()?.get(name)?.as_str());
        let id = MessageId::parse(header(subject::MESSAGE_ID)?)?;
        let (kind, trace) = (header(subject::EVENT_TYPE)?, header(subject::TRACEPARENT));
        let signed = LoggedMessage {
            partition: id.partition,
            seq: id.seq,
            event_type: kind,
            trace,
            body: &message.payload,
        };
        let is_authentic = message.subject.as_str() == subject::events(id.partition)
            && key.verify(&signed, id.signature?.code);
        is_authentic.then(|| Self {
            partition: id.partition,
            seq: id.seq,
            kind: kind.to_owned(),
            trace: trace.map(ToOwned::to_owned),
        })
    }
}
