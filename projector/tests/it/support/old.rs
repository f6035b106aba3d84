//! Events as earlier versions stored them.

use feedmill_events::{Envelope, Event, event::v1};

/// The envelope's bytes; those of version 1 for a conversation without a known creator.
pub fn encode(envelope: &Envelope) -> Vec<u8> {
    let Event::ConversationCreated(event) = &envelope.event else {
        return envelope.encode().unwrap();
    };
    if event.creator.is_some() {
        return envelope.encode().unwrap();
    }
    let payload = postcard::to_stdvec(&v1::ConversationCreated {
        conversation: event.conversation,
        members: event.members.clone(),
        title: event.title.clone(),
    })
    .unwrap();
    let bytes = postcard::to_stdvec(&(
        envelope.event.event_type().name(),
        1_u16,
        envelope.at,
        &payload,
    ))
    .unwrap();
    assert_eq!(Envelope::decode(&bytes).unwrap(), *envelope);
    bytes
}
