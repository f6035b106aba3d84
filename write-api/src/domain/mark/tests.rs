use super::*;
use crate::domain::scenario::{NOW, account, decide, events, id};

/// The ids here are not those of items.
fn read(list: MarkedList, up_to: Uuid) -> MarkCommand {
    MarkCommand { list, up_to }
}

fn feed(up_to: Uuid) -> MarkCommand {
    read(MarkedList::Feed, up_to)
}

fn notifications(up_to: Uuid) -> MarkCommand {
    read(MarkedList::Notifications, up_to)
}

#[test]
fn a_mark_never_moves_back() {
    let (user, up_to) = (id(1), id(5));
    let cases = [
        (MarkedList::Feed, Event::FeedRead(FeedRead { user, up_to })),
        (
            MarkedList::Notifications,
            Event::NotificationsRead(NotificationsRead { user, up_to }),
        ),
    ];
    for (list, event) in cases {
        let mut given = vec![account(1)];
        let first = events(&given, 1, read(list, up_to));
        assert_eq!(first, [event]);
        given.extend(first);
        for n in [5, 4] {
            assert_eq!(events(&given, 1, read(list, id(n))), []);
        }
        assert_eq!(events(&given, 1, read(list, id(6))).len(), 1);
    }
}

#[test]
fn the_nil_id_marks_nothing() {
    for list in [MarkedList::Feed, MarkedList::Notifications] {
        assert_eq!(events(&[account(1)], 1, read(list, Uuid::nil())), []);
    }
}

#[test]
fn a_mark_is_not_in_the_future() {
    let cases = [(0, true), (5_000, true), (5_001, false), (1 << 40, false)];
    for (later, accepted) in cases {
        let up_to = feedmill_events::id::first_of(NOW + later);
        for list in [MarkedList::Feed, MarkedList::Notifications] {
            match decide(&[account(1)], 1, read(list, up_to)) {
                Ok(decision) => assert!(accepted && decision.events.len() == 1, "{later}"),
                Err(error) => assert!(!accepted && error == Rejection::FutureMark, "{later}"),
            }
        }
    }
}

#[test]
fn each_list_has_a_mark_of_its_own() {
    let mut given = vec![account(1)];
    given.extend(events(&given, 1, feed(id(5))));
    assert_eq!(events(&given, 1, notifications(id(4))).len(), 1);
}
