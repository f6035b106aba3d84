use feedmill_events::event::v1;

use super::*;
use crate::domain::{
    decision::{Outcome, Rejection, Resource},
    scenario::{AT, NOW, account, decide, decide_at, events, id, rejection},
};

const MAX_PENDING: u32 = 2;

fn request(other: u64) -> ConnectionCommand {
    ConnectionCommand::Request {
        other: id(other),
        max_pending: MAX_PENDING,
    }
}

fn end(other: u64) -> ConnectionCommand {
    ConnectionCommand::End { other: id(other) }
}

fn accounts() -> Vec<Event> {
    (1..=5).map(account).collect()
}

/// The events of the accounts and of these commands.
fn after(commands: &[(u64, ConnectionCommand)]) -> Vec<Event> {
    let mut given = accounts();
    for (actor, command) in commands {
        given.extend(events(&given, *actor, *command));
    }
    given
}

fn made(account: u64, other: u64) -> Event {
    Event::ConnectionMade(v1::ConnectionMade {
        account: id(account),
        other: id(other),
        requester: id(1),
        requested_at: Some(AT),
    })
}

#[test]
fn a_request_that_is_accepted_connects_both() {
    let given = after(&[(1, request(2))]);
    assert_eq!(
        events(&given, 2, request(1)),
        [made(2, 1), made(1, 2)],
        "the request of the other is accepted"
    );
    let connected = after(&[(1, request(2)), (2, request(1))]);
    for (actor, other) in [(1, 2), (2, 1)] {
        let again = decide(&connected, actor, request(other)).unwrap();
        assert_eq!(again.events, []);
        assert_eq!(
            again.outcome,
            Outcome::Connection(ConnectionState::Connected)
        );
    }
}

#[test]
fn a_request_is_made_once() {
    let given = after(&[(1, request(2))]);
    let again = decide(&given, 1, request(2)).unwrap();
    assert_eq!(again.events, []);
    assert_eq!(
        again.outcome,
        Outcome::Connection(ConnectionState::Outgoing)
    );
}

#[test]
fn ending_withdraws_declines_or_disconnects() {
    let ended = |declined| {
        [Event::ConnectionRequestEnded(v1::ConnectionRequestEnded {
            from: id(1),
            to: id(2),
            requested_at: AT,
            declined,
        })]
    };
    let requested = after(&[(1, request(2))]);
    assert_eq!(events(&requested, 1, end(2)), ended(false));
    assert_eq!(events(&requested, 2, end(1)), ended(true));

    let connected = after(&[(1, request(2)), (2, request(1))]);
    let disconnected = |account, other| {
        Event::ConnectionEnded(v1::ConnectionEnded {
            account: id(account),
            other: id(other),
            requester: id(1),
            connected_at: AT,
        })
    };
    assert_eq!(
        events(&connected, 2, end(1)),
        [disconnected(2, 1), disconnected(1, 2)]
    );
}

#[test]
fn ending_what_is_not_there_succeeds() {
    for other in [1, 2, 99] {
        assert_eq!(events(&accounts(), 1, end(other)), []);
    }
    let ended = after(&[(1, request(2)), (1, end(2))]);
    assert_eq!(events(&ended, 2, end(1)), []);
}

#[test]
fn a_declined_request_cannot_be_repeated_for_30_days() {
    let declined = after(&[(1, request(2)), (2, end(1))]);
    assert_eq!(
        rejection(&declined, 1, request(2)),
        Rejection::RequestDeclined
    );
    let later =
        |now| decide_at(now, &declined, 1, request(2)).map(|decision| decision.events.len());
    assert_eq!(
        later(AT + DECLINE_HOLD - 1),
        Err(Rejection::RequestDeclined)
    );
    assert_eq!(later(AT + DECLINE_HOLD), Ok(1));
    // The account that declined may send a request, and a connection ends the waiting time.
    assert_eq!(events(&declined, 2, request(1)).len(), 1);
    let connected = after(&[
        (1, request(2)),
        (2, end(1)),
        (2, request(1)),
        (1, request(2)),
        (2, end(1)),
    ]);
    assert_eq!(events(&connected, 1, request(2)).len(), 1);
}

#[test]
fn a_withdrawn_request_can_be_repeated() {
    let withdrawn = after(&[(1, request(2)), (1, end(2))]);
    assert_eq!(events(&withdrawn, 1, request(2)).len(), 1);
}

#[test]
fn pending_requests_are_bounded() {
    let full = after(&[(1, request(2)), (1, request(3))]);
    assert_eq!(
        rejection(&full, 1, request(4)),
        Rejection::TooManyPendingRequests(MAX_PENDING)
    );
    // Requests of others do not count, and an answered request no longer counts.
    assert_eq!(events(&full, 4, request(1)).len(), 1);
    for answer in [(2, request(1)), (2, end(1)), (1, end(2))] {
        let given = after(&[(1, request(2)), (1, request(3)), answer]);
        assert_eq!(events(&given, 1, request(4)).len(), 1, "{answer:?}");
    }
}

#[test]
fn nobody_connects_with_themselves_or_with_nobody() {
    for command in [request(1), ConnectionCommand::Connect { other: id(1) }] {
        assert_eq!(
            rejection(&accounts(), 1, command),
            Rejection::SelfConnection
        );
    }
    let nobody = Rejection::not_found(Resource::Account);
    assert_eq!(rejection(&accounts(), 1, request(99)), nobody);
}

#[test]
fn an_imported_connection_needs_no_request() {
    let connect = ConnectionCommand::Connect { other: id(2) };
    let made = events(&accounts(), 1, connect);
    assert_eq!(made.len(), 2);
    let given = [accounts(), made].concat();
    assert_eq!(events(&given, 1, connect), []);
    // An existing request is accepted.
    let requested = after(&[(1, request(2))]);
    let other_way = ConnectionCommand::Connect { other: id(1) };
    assert_eq!(
        events(&requested, 2, other_way),
        [self::made(2, 1), self::made(1, 2)]
    );
}

/// The transaction locks the partitions of both accounts only.
#[test]
fn events_are_in_the_partitions_of_both_accounts() {
    let steps = [
        (1, request(2)),
        (2, end(1)),
        (2, request(1)),
        (1, request(2)),
        (1, end(2)),
    ];
    let mut given = accounts();
    for (actor, command) in steps {
        let changed = decide_at(NOW, &given, actor, command).unwrap().events;
        assert!(!changed.is_empty());
        let locked = command.partitions(id(actor));
        for event in &changed {
            assert!(locked.has(event.partition()), "{event:?}");
        }
        given.extend(changed);
    }
}
