use super::*;
use crate::domain::scenario::{NOW, account, decide, events, id};

fn read(up_to: Uuid) -> NotificationCommand {
    NotificationCommand::MarkRead { up_to }
}

#[test]
fn a_mark_never_moves_back() {
    let mut given = vec![account(1)];
    let marked = NotificationsRead {
        user: id(1),
        up_to: id(5),
    };
    let first = events(&given, 1, read(id(5)));
    assert_eq!(first, [Event::NotificationsRead(marked)]);
    given.extend(first);
    for n in [5, 4] {
        assert_eq!(events(&given, 1, read(id(n))), []);
    }
    assert_eq!(events(&given, 1, read(id(6))).len(), 1);
}

#[test]
fn the_nil_id_marks_nothing() {
    assert_eq!(events(&[account(1)], 1, read(Uuid::nil())), []);
}

#[test]
fn a_mark_is_not_in_the_future() {
    let cases = [(0, true), (5_000, true), (5_001, false), (1 << 40, false)];
    for (later, accepted) in cases {
        let up_to = feedmill_events::id::first_of(NOW + later);
        match decide(&[account(1)], 1, read(up_to)) {
            Ok(decision) => assert!(accepted && decision.events.len() == 1, "{later}"),
            Err(error) => assert!(!accepted && error == Rejection::FutureMark, "{later}"),
        }
    }
}
