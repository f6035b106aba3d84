//! Given what happened, when somebody wants something, then this happens.

use feedmill_events::{
    Event, Partition,
    event::{v1, v2},
};
use uuid::Uuid;

use super::*;
use crate::domain::{Handle, PostText, Thing};

const AT: i64 = 1_700_000_000_000;

fn id(n: u64) -> Uuid {
    feedmill_events::id::compose(AT, 0, n, None)
}

fn account(n: u64) -> Event {
    let handle = format!("user{n}");
    Event::AccountCreated(v1::AccountCreated {
        account: id(n),
        display_name: handle.clone(),
        handle,
    })
}

fn post(n: u64, author: u64) -> Event {
    Event::PostCreated(v1::PostCreated {
        post: id(n),
        author: id(author),
        reply_to: None,
        text: "text".to_owned(),
    })
}

fn liked(post: u64, author: u64, user: u64) -> Event {
    Event::PostLiked(v1::PostLiked {
        post: id(post),
        author: id(author),
        user: id(user),
    })
}

fn talk(n: u64, members: &[u64]) -> Event {
    Event::ConversationCreated(v2::ConversationCreated {
        conversation: id(n),
        members: members.iter().map(|member| id(*member)).collect(),
        title: None,
        creator: None,
    })
}

fn message(n: u64, conversation: u64, sender: u64) -> Event {
    Event::MessageSent(v1::MessageSent {
        conversation: id(conversation),
        message: id(n),
        sender: id(sender),
        text: "text".to_owned(),
    })
}

/// What comes of a command, a second after all that was given.
fn when(given: &[Event], actor: u64, command: &Command) -> Result<Decision, Rejection> {
    let mut state = State::default();
    for event in given {
        state.apply(AT, event);
    }
    let moment = Moment {
        millis: AT + 1_000,
        counter: 0,
        random: 42,
    };
    decide(&state, id(actor), command, moment)
}

fn events(given: &[Event], actor: u64, command: &Command) -> Vec<Event> {
    when(given, actor, command).unwrap().events
}

fn not_found(thing: Thing) -> Rejection {
    Rejection::NotFound { thing, field: None }
}

#[test]
fn a_reply_is_made_in_its_threads_partition() {
    let text = PostText::try_from("so it is".to_owned()).unwrap();
    let reply = Command::CreatePost {
        text,
        reply_to: Some(id(10)),
    };
    let events = events(&[account(1), account(2), post(10, 1)], 2, &reply);
    let [Event::PostCreated(created)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(Partition::of(created.post), Partition::of(id(10)));
    assert_eq!(
        created.reply_to,
        Some(v1::Parent {
            post: id(10),
            author: id(1)
        })
    );
    assert_eq!(feedmill_events::id::millis(created.post), AT + 1_000);
}

#[test]
fn liking_twice_is_liking_once() {
    let like = Command::Like { post: id(10) };
    let given = [account(1), account(2), post(10, 1)];
    assert_eq!(events(&given, 2, &like), [liked(10, 1, 2)]);
    assert_eq!(
        events(&[&given[..], &[liked(10, 1, 2)]].concat(), 2, &like),
        []
    );
}

#[test]
fn an_unlike_says_since_when_the_like_stood() {
    let given = [account(1), account(2), post(10, 1), liked(10, 1, 2)];
    let unliked = v1::PostUnliked {
        post: id(10),
        author: id(1),
        user: id(2),
        liked_at: AT,
    };
    assert_eq!(
        events(&given, 2, &Command::Unlike { post: id(10) }),
        [Event::PostUnliked(unliked)]
    );
    assert_eq!(events(&given, 1, &Command::Unlike { post: id(10) }), []);
}

#[test]
fn only_its_author_deletes_a_post_and_then_it_is_gone() {
    let given = [account(1), account(2), post(10, 1)];
    let delete = Command::DeletePost { post: id(10) };
    assert_eq!(when(&given, 2, &delete).unwrap_err(), Rejection::NotYours);
    let deleted = events(&given, 1, &delete);
    let after = [&given[..], &deleted[..]].concat();
    for command in [
        delete,
        Command::Like { post: id(10) },
        Command::Unlike { post: id(10) },
    ] {
        assert_eq!(
            when(&after, 1, &command).unwrap_err(),
            not_found(Thing::Post)
        );
    }
}

#[test]
fn nobody_follows_themselves_or_nobody() {
    let given = [account(1)];
    assert_eq!(
        when(&given, 1, &Command::Follow { user: id(1) }).unwrap_err(),
        Rejection::SelfFollow
    );
    let nobody = when(&given, 1, &Command::Follow { user: id(9) }).unwrap_err();
    assert_eq!(nobody, not_found(Thing::Account));
}

#[test]
fn a_handle_is_taken_once_and_free_again_after_a_change() {
    let handle = |text: &str| Handle::try_from(text.to_owned()).unwrap();
    let take = |text| Command::ChangeProfile {
        handle: Some(handle(text)),
        display_name: None,
        bio: None,
    };
    let given = [account(1), account(2)];
    assert_eq!(
        when(&given, 1, &take("USER2")).unwrap_err(),
        Rejection::HandleTaken
    );
    assert_eq!(
        events(&given, 2, &take("user2")),
        [],
        "one's own handle is no conflict and no change"
    );
    let moved = events(&given, 2, &take("elsewhere"));
    assert_eq!(
        events(&[&given[..], &moved[..]].concat(), 1, &take("user2")).len(),
        1
    );
}

#[test]
fn the_same_two_have_one_conversation() {
    let given = [account(1), account(2), account(3), talk(20, &[1, 2])];
    let start = |members: &[u64]| Command::StartConversation {
        members: members.iter().map(|member| id(*member)).collect(),
        title: None,
        creator: Some(id(1)),
    };
    let again = when(&given, 2, &start(&[1])).unwrap();
    assert!(again.events.is_empty());
    assert!(
        matches!(again.outcome, Outcome::Conversation { id: found, created: false, .. } if found == id(20))
    );
    let new = events(&given, 1, &start(&[2, 3]));
    let [Event::ConversationCreated(new)] = &new[..] else {
        panic!("{new:?}")
    };
    assert_eq!(new.creator, Some(id(1)));
    assert_eq!(
        when(&given, 1, &start(&[1])).unwrap_err(),
        Rejection::NoOtherMember
    );
    assert!(matches!(
        when(&given, 1, &start(&[77])).unwrap_err(),
        Rejection::NotFound {
            field: Some("members"),
            ..
        }
    ));
}

#[test]
fn a_conversation_is_not_there_for_those_who_are_not_in_it() {
    let given = [
        account(1),
        account(2),
        account(3),
        talk(20, &[1, 2]),
        message(21, 20, 1),
    ];
    let send = Command::SendMessage {
        conversation: id(20),
        text: super::super::MessageText::try_from("hello".to_owned()).unwrap(),
    };
    let read = Command::MarkRead {
        conversation: id(20),
        up_to: id(21),
    };
    for command in [send, read] {
        assert_eq!(
            when(&given, 3, &command).unwrap_err(),
            not_found(Thing::Conversation)
        );
        assert_eq!(events(&given, 2, &command).len(), 1);
    }
}

#[test]
fn a_read_mark_never_moves_back() {
    let mut given = vec![
        account(1),
        account(2),
        talk(20, &[1, 2]),
        message(21, 20, 1),
        message(22, 20, 1),
    ];
    let read = |n| Command::MarkRead {
        conversation: id(20),
        up_to: id(n),
    };
    given.extend(events(&given, 2, &read(22)));
    assert_eq!(events(&given, 2, &read(21)), []);
    assert_eq!(events(&given, 2, &read(22)), []);
    assert!(matches!(
        when(&given, 2, &read(99)).unwrap_err(),
        Rejection::NotFound {
            field: Some("up_to"),
            ..
        }
    ));
}

#[test]
fn a_token_without_an_account_does_nothing() {
    assert_eq!(
        when(&[account(1)], 2, &Command::Follow { user: id(1) }).unwrap_err(),
        Rejection::UnknownActor
    );
}

#[test]
fn an_account_from_elsewhere_is_made_once_and_gets_a_handle_that_is_free() {
    let ensure = Command::EnsureAccount {
        account: id(5),
        handle_hint: Some("User1".to_owned()),
        name_hint: Some("Fifth".to_owned()),
    };
    let first = events(&[account(1)], 5, &ensure);
    let [Event::AccountCreated(made)] = &first[..] else {
        panic!("{first:?}")
    };
    assert_eq!(made.account, id(5));
    assert!(made.handle.starts_with("u_") && Handle::try_from(made.handle.clone()).is_ok());
    assert_eq!(made.display_name, "Fifth");
    assert_eq!(events(&first, 5, &ensure), []);
}

#[test]
fn notifications_are_read_once_and_never_unread_again() {
    let mut given = vec![account(1)];
    let read = |n| Command::MarkNotificationsRead { up_to: id(n) };
    let first = events(&given, 1, &read(5));
    let marked = v1::NotificationsRead {
        user: id(1),
        up_to: id(5),
    };
    assert_eq!(first, [Event::NotificationsRead(marked)]);
    given.extend(first);
    for n in [5, 4] {
        assert_eq!(events(&given, 1, &read(n)), []);
    }
    assert_eq!(events(&given, 1, &read(6)).len(), 1);
    let nothing = Command::MarkNotificationsRead { up_to: Uuid::nil() };
    assert_eq!(events(&[account(1)], 1, &nothing), []);
}

#[test]
fn what_is_yet_to_come_is_not_read() {
    let read = |millis| Command::MarkNotificationsRead {
        up_to: feedmill_events::id::first_of(millis),
    };
    let now = AT + 1_000;
    for (later, accepted) in [(0, true), (5_000, true), (5_001, false), (1 << 40, false)] {
        let decided = when(&[account(1)], 1, &read(now + later));
        match decided {
            Ok(decision) => assert!(accepted && decision.events.len() == 1, "{later}"),
            Err(error) => assert!(!accepted && error == Rejection::FutureMark, "{later}"),
        }
    }
}
