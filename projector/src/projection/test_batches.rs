//! Batches for unit tests.

use chrono::DateTime;
use feedmill_events::{
    Event,
    event::{
        v1::{Audience, Parent, PostLiked, PostUnliked},
        v2::PostCreated,
    },
};
use uuid::Uuid;

use crate::batch::{Batch, LoggedEvent};

/// Everything that an account can do without another one.
pub fn acts_on_oneself() -> Batch {
    let (me, post) = (Uuid::from_u128(1), Uuid::from_u128(9));
    let created = |reply_to: Option<Parent>| {
        Event::PostCreated(PostCreated {
            post,
            author: me,
            reply_to,
            text: "to myself".to_owned(),
            root_author: Some(me),
            audience: reply_to.is_none().then_some(Audience::Public),
        })
    };
    let liked = Event::PostLiked(PostLiked {
        post,
        author: me,
        user: me,
    });
    let unliked = Event::PostUnliked(PostUnliked {
        post,
        author: me,
        user: me,
        liked_at: 0,
    });
    let reply = created(Some(Parent { post, author: me }));
    let events = [created(None), reply, liked, unliked];
    Batch {
        ranges: vec![],
        events: events
            .map(|event| LoggedEvent {
                at: DateTime::UNIX_EPOCH,
                event,
            })
            .into(),
        trace: None,
    }
}
