//! The id of a notification: a UUIDv7 of the act's time, with a hash of who did what to which where others have
//! random bits. Whoever knows the act knows the id, so that taking the act back finds the row without a
//! search, and every rebuild makes the same ids.

use feedmill_events::id::{compose, fnv1a};
use uuid::Uuid;

/// `at` is in Unix milliseconds, as all times here.
pub fn follow(at: i64, follower: Uuid, followee: Uuid) -> Uuid {
    of("follow", at, follower, followee)
}

pub fn like(at: i64, user: Uuid, post: Uuid) -> Uuid {
    of("like", at, user, post)
}

/// A reply's time is its own id's.
pub fn reply(author: Uuid, reply: Uuid) -> Uuid {
    of("reply", feedmill_events::id::millis(reply), author, reply)
}

/// Two acts of one millisecond on one viewer's things have the same id with a chance of 1 in 2^62.
fn of(kind: &str, at: i64, actor: Uuid, thing: Uuid) -> Uuid {
    let act = kind
        .bytes()
        .chain(actor.into_bytes())
        .chain(thing.into_bytes());
    compose(at, 0, fnv1a(act), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They are in tables, in cursors and in read marks: they never change.
    #[test]
    fn an_act_has_the_same_id_for_ever() {
        let at = 1_700_000_000_000;
        let (a, b) = (compose(at, 1, 1, None), compose(at, 2, 2, None));
        let ids = [follow(at, a, b), like(at, a, b), reply(a, b)];
        assert_eq!(
            ids.map(|id| id.to_string()),
            [
                "018bcfe5-6800-7000-9061-2f9ac37c1b50",
                "018bcfe5-6800-7000-9478-cd8f9aadbfb6",
                "018bcfe5-6800-7000-a60b-06e1da831eaf",
            ]
        );
    }
}
