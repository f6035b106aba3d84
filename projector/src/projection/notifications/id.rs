//! The id of a notification: a UUIDv7 with the time of the act and, in place of random bits, a hash of the act. It
//! follows from the act, so undoing the act finds the row by its key, and every rebuild makes the same ids.

use feedmill_events::id::{compose, fnv1a};
use uuid::Uuid;

/// `at` is the time of the follow in Unix milliseconds.
pub fn follow(at: i64, follower: Uuid, followee: Uuid) -> Uuid {
    of("follow", at, follower, followee)
}

/// `at` is the time of the request in Unix milliseconds.
pub fn connection_request(at: i64, from: Uuid, to: Uuid) -> Uuid {
    of("connection_request", at, from, to)
}

/// `other` accepted the request of `account` at `at`, in Unix milliseconds.
pub fn connection(at: i64, other: Uuid, account: Uuid) -> Uuid {
    of("connection", at, other, account)
}

pub fn like(at: i64, user: Uuid, post: Uuid) -> Uuid {
    of("like", at, user, post)
}

/// The time is the one in the reply's id.
pub fn reply(author: Uuid, reply: Uuid) -> Uuid {
    of("reply", feedmill_events::id::millis(reply), author, reply)
}

/// Two acts of one millisecond that concern one viewer collide with a probability of 1 in 2^62.
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

    /// Ids are in tables, cursors and read marks, so they must never change.
    #[test]
    fn the_id_of_an_act_never_changes() {
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
