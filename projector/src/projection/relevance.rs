//! Which events concern an account other than the one that acts.

use feedmill_events::Event;

/// False for root posts, replies to oneself and likes of one's own posts: they change neither counters of what was
/// received nor notifications.
pub fn concerns_another_account(event: &Event) -> bool {
    match event {
        Event::PostCreated(e) => e.reply_to.is_some_and(|parent| parent.author != e.author),
        Event::PostLiked(e) => e.user != e.author,
        Event::PostUnliked(e) => e.user != e.author,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use feedmill_events::event::{
        v1::{Parent, PostLiked},
        v2::PostCreated,
    };
    use uuid::Uuid;

    use super::*;
    use crate::projection::test_batches::acts_on_oneself;

    #[test]
    fn acts_on_oneself_concern_nobody_else() {
        let events = acts_on_oneself().events;
        assert!(events.iter().all(|e| !concerns_another_account(&e.event)));
    }

    #[test]
    fn replies_to_and_likes_of_others_concern_them() {
        let (me, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let post = Uuid::from_u128(3);
        let reply = PostCreated {
            post: Uuid::from_u128(9),
            author: me,
            reply_to: Some(Parent {
                post,
                author: other,
            }),
            text: "to you".to_owned(),
            root_author: Some(other),
            audience: None,
        };
        let like = PostLiked {
            post,
            author: other,
            user: me,
        };
        assert!(concerns_another_account(&Event::PostCreated(reply)));
        assert!(concerns_another_account(&Event::PostLiked(like)));
    }
}
