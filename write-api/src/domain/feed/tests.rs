use super::*;
use crate::domain::scenario::{NOW, account, events, id, rejection};

fn read(up_to: Uuid) -> FeedCommand {
    FeedCommand::MarkRead { up_to }
}

/// The ids here are not those of posts.
#[test]
fn a_mark_never_moves_back() {
    let mut given = vec![account(1)];
    let marked = FeedRead {
        user: id(1),
        up_to: id(5),
    };
    let first = events(&given, 1, read(id(5)));
    assert_eq!(first, [Event::FeedRead(marked)]);
    given.extend(first);
    for n in [5, 4] {
        assert_eq!(events(&given, 1, read(id(n))), []);
    }
    assert_eq!(events(&given, 1, read(id(6))).len(), 1);
}

#[test]
fn a_mark_is_not_in_the_future() {
    let up_to = feedmill_events::id::first_of(NOW + 5_001);
    assert_eq!(
        rejection(&[account(1)], 1, read(up_to)),
        Rejection::FutureMark
    );
}

#[test]
fn notifications_have_a_mark_of_their_own() {
    let mut given = vec![account(1)];
    given.extend(events(&given, 1, read(id(5))));
    let notifications = crate::domain::NotificationCommand::MarkRead { up_to: id(4) };
    assert_eq!(events(&given, 1, notifications).len(), 1);
}
