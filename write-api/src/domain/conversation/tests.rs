use feedmill_events::Event;

use super::*;
use crate::domain::{
    ConnectionCommand, Outcome,
    account::Accounts,
    block::Blocks,
    connection::Connections,
    scenario::{NOW, account, conversation, decide, decide_at, events, id, message, rejection},
    text::{MessageText, Title},
};

fn start(members: &[u64]) -> ConversationCommand {
    ConversationCommand::Start {
        members: members.iter().map(|member| id(*member)).collect(),
        title: None,
        creator: Some(id(1)),
    }
}

fn send(conversation: u64) -> ConversationCommand {
    ConversationCommand::SendMessage {
        conversation: id(conversation),
        text: MessageText::try_from("hello".to_owned()).unwrap(),
    }
}

fn read(conversation: u64, up_to: u64) -> ConversationCommand {
    ConversationCommand::MarkRead {
        conversation: id(conversation),
        up_to: id(up_to),
    }
}

#[test]
fn two_accounts_have_one_conversation() {
    let given = [account(1), account(2), conversation(20, &[1, 2])];
    let again = decide(&given, 2, start(&[1])).unwrap();
    assert!(again.events.is_empty());
    assert!(
        matches!(again.outcome, Outcome::Conversation { id: found, created: false, .. } if found == id(20))
    );
}

#[test]
fn a_new_conversation_names_its_creator() {
    let given = [
        account(1),
        account(2),
        account(3),
        conversation(20, &[1, 2]),
    ];
    let events = events(&given, 1, start(&[2, 3]));
    let [Event::ConversationCreated(created)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(created.creator, Some(id(1)));
}

#[test]
fn a_conversation_needs_another_member_that_exists() {
    let given = [account(1)];
    assert_eq!(rejection(&given, 1, start(&[1])), Rejection::NoOtherMember);
    assert_eq!(
        rejection(&given, 1, start(&[77])),
        Rejection::field_not_found(Resource::Account, "members")
    );
}

#[test]
fn too_many_members_are_rejected_without_loading_them() {
    let numbers: Vec<u64> = (2..200).collect();
    let command = start(&numbers);
    let expected = Rejection::TooManyMembers(MAX_MEMBERS);
    assert_eq!(rejection(&[account(1)], 1, command.clone()), expected);
    let mut accounts = Accounts::default();
    let mut connections = Connections::default();
    command.request(
        id(1),
        &mut accounts,
        &mut connections,
        &mut Conversations::default(),
        &mut Blocks::default(),
    );
    assert_eq!(accounts.take_requested(), (vec![], vec![]));
}

#[test]
fn a_conversation_of_others_is_not_found() {
    let given = [
        account(1),
        account(2),
        account(3),
        conversation(20, &[1, 2]),
        message(21, 20, 1),
    ];
    for command in [send(20), read(20, 21)] {
        let not_found = Rejection::not_found(Resource::Conversation);
        assert_eq!(rejection(&given, 3, command.clone()), not_found);
        assert_eq!(events(&given, 2, command).len(), 1);
    }
}

#[test]
fn a_read_mark_never_moves_back() {
    let mut given = vec![
        account(1),
        account(2),
        conversation(20, &[1, 2]),
        message(21, 20, 1),
        message(22, 20, 1),
    ];
    given.extend(events(&given, 2, read(20, 22)));
    for up_to in [21, 22] {
        assert_eq!(events(&given, 2, read(20, up_to)), []);
    }
}

#[test]
fn a_read_mark_needs_a_message_of_the_conversation() {
    let given = [account(1), account(2), conversation(20, &[1, 2])];
    let expected = Rejection::field_not_found(Resource::Message, "up_to");
    assert_eq!(rejection(&given, 2, read(20, 99)), expected);
}

fn set_muted(conversation: u64, muted: bool) -> ConversationCommand {
    ConversationCommand::SetMuted {
        conversation: id(conversation),
        muted,
    }
}

fn rename(conversation: u64, title: Option<&str>) -> ConversationCommand {
    ConversationCommand::Rename {
        conversation: id(conversation),
        title: title.map(|title| Title::try_from(title.to_owned()).unwrap()),
    }
}

#[test]
fn a_member_mutes_a_conversation_once() {
    let mut given = vec![account(1), account(2), conversation(20, &[1, 2])];
    assert_eq!(events(&given, 1, set_muted(20, false)), []);
    let muted = events(&given, 1, set_muted(20, true));
    assert_eq!(muted.len(), 1);
    given.extend(muted);
    assert_eq!(events(&given, 1, set_muted(20, true)), []);
    assert_eq!(events(&given, 1, set_muted(20, false)).len(), 1);
    assert_eq!(events(&given, 2, set_muted(20, false)), [], "for oneself");
}

#[test]
fn a_conversation_of_others_can_be_unmuted_only() {
    let given = [
        account(1),
        account(2),
        account(3),
        conversation(20, &[1, 2]),
    ];
    let not_found = Rejection::not_found(Resource::Conversation);
    for conversation in [20, 99] {
        assert_eq!(events(&given, 3, set_muted(conversation, false)), []);
        let mute = set_muted(conversation, true);
        assert_eq!(rejection(&given, 3, mute), not_found);
    }
}

#[test]
fn any_member_renames_a_group() {
    let mut given = vec![
        account(1),
        account(2),
        account(3),
        account(4),
        conversation(20, &[1, 2, 3]),
    ];
    assert_eq!(events(&given, 1, rename(20, None)), [], "it has no title");
    given.extend(events(&given, 3, rename(20, Some("The mill"))));
    assert_eq!(events(&given, 1, rename(20, Some("The mill"))), []);
    let cleared = events(&given, 2, rename(20, None));
    let [Event::ConversationRenamed(cleared)] = &cleared[..] else {
        panic!("{cleared:?}")
    };
    assert_eq!((cleared.user, &cleared.title), (id(2), &None));
    let not_found = Rejection::not_found(Resource::Conversation);
    assert_eq!(rejection(&given, 4, rename(20, None)), not_found);
}

#[test]
fn a_conversation_of_two_is_not_renamed() {
    let given = [
        account(1),
        account(2),
        account(3),
        conversation(20, &[1, 2]),
    ];
    for title in [None, Some("The mill")] {
        let refused = rejection(&given, 1, rename(20, title));
        assert_eq!(refused, Rejection::ConversationOfTwo);
    }
    let not_found = Rejection::not_found(Resource::Conversation);
    assert_eq!(rejection(&given, 3, rename(20, None)), not_found);
}

fn add(conversation: u64, account: u64) -> ConversationCommand {
    ConversationCommand::AddMember {
        conversation: id(conversation),
        account: id(account),
    }
}

fn remove(conversation: u64, account: u64) -> ConversationCommand {
    ConversationCommand::RemoveMember {
        conversation: id(conversation),
        account: id(account),
    }
}

/// A group of the accounts 1 to 3, another account 4, and a conversation of two.
fn group() -> Vec<Event> {
    let mut given: Vec<Event> = (1..=4).map(account).collect();
    given.extend([conversation(20, &[1, 2, 3]), conversation(30, &[1, 2])]);
    given
}

/// The field `since` of the only event.
fn since(events: &[Event]) -> Uuid {
    let [Event::MemberAdded(added)] = events else {
        panic!("{events:?}")
    };
    added.since
}

#[test]
fn any_member_adds_to_a_group() {
    let mut given = group();
    let added = events(&given, 3, add(20, 4));
    assert_eq!(feedmill_events::id::millis(since(&added)), NOW);
    given.extend(added);
    assert_eq!(events(&given, 1, add(20, 4)), [], "a member already");
    assert_eq!(events(&given, 4, set_muted(20, true)).len(), 1);
    let account = Rejection::not_found(Resource::Account);
    assert_eq!(rejection(&given, 1, add(20, 99)), account);
}

#[test]
fn only_members_add_and_remove() {
    let given = group();
    let not_found = Rejection::not_found(Resource::Conversation);
    for command in [add(20, 4), add(20, 1), remove(20, 1), add(99, 4)] {
        assert_eq!(rejection(&given, 4, command), not_found);
    }
    assert_eq!(events(&given, 4, remove(20, 4)), [], "no member anyway");
    assert_eq!(events(&given, 4, remove(99, 4)), []);
    assert_eq!(rejection(&given, 1, remove(20, 2)), Rejection::NotOneself);
    assert_eq!(events(&given, 1, remove(20, 4)), [], "no member anyway");
}

#[test]
fn a_conversation_of_two_has_no_other_members() {
    let given = group();
    for command in [add(30, 3), remove(30, 1)] {
        let refused = rejection(&given, 1, command);
        assert_eq!(refused, Rejection::ConversationOfTwo);
    }
    assert_eq!(events(&given, 1, add(30, 2)), []);
}

#[test]
fn a_group_that_two_are_left_of_is_no_conversation_of_two() {
    let mut given = vec![account(1), account(2), account(3)];
    given.push(conversation(20, &[1, 2, 3]));
    given.extend(events(&given, 3, remove(20, 3)));
    assert_eq!(events(&given, 1, rename(20, Some("Two"))).len(), 1);
    assert_eq!(events(&given, 1, start(&[2])).len(), 1, "the pair's own");
}

#[test]
fn who_has_left_no_longer_has_the_conversation() {
    let mut given = group();
    given.push(message(21, 20, 1));
    given.extend(events(&given, 3, remove(20, 3)));
    let not_found = Rejection::not_found(Resource::Conversation);
    for command in [
        read(20, 21),
        set_muted(20, true),
        rename(20, None),
        add(20, 4),
    ] {
        assert_eq!(rejection(&given, 3, command), not_found);
    }
    assert_eq!(events(&given, 3, remove(20, 3)), []);
    assert_eq!(events(&given, 1, remove(20, 3)), []);
}

#[test]
fn who_has_left_is_added_again_only_by_a_connection() {
    let mut given = group();
    given.extend(events(&given, 3, remove(20, 3)));
    let refused = rejection(&given, 1, add(20, 3));
    assert_eq!(refused, Rejection::LeftConversation);
    let connect = ConnectionCommand::Connect { other: id(3) };
    given.extend(events(&given, 2, connect));
    assert_eq!(events(&given, 2, add(20, 3)).len(), 1);
    let refused = rejection(&given, 1, add(20, 3));
    assert_eq!(refused, Rejection::LeftConversation);
}

#[test]
fn a_full_group_takes_nobody() {
    let most = MAX_MEMBERS as u64;
    let members: Vec<u64> = (1_001..=1_000 + most).collect();
    let mut given: Vec<Event> = members.iter().copied().map(account).collect();
    given.extend([account(4), conversation(20, &members)]);
    let full = Rejection::ConversationFull(MAX_MEMBERS);
    assert_eq!(rejection(&given, 1_001, add(20, 4)), full);
    given.extend(events(&given, 1_002, remove(20, 1_002)));
    assert_eq!(events(&given, 1_001, add(20, 4)).len(), 1);
}

/// This holds even if the clock of the process that adds is behind that of the process that accepted the message.
#[test]
fn who_is_added_does_not_see_what_was_written_before() {
    let mut given = group();
    let written = decide_at(NOW + 5_000, &given, 1, send(20)).unwrap();
    given.extend(written.events.clone());
    let [Event::MessageSent(before)] = &written.events[..] else {
        panic!("{written:?}")
    };
    let added = events(&given, 1, add(20, 4));
    assert_eq!(since(&added), before.message);
    given.extend(added);
    let mark = ConversationCommand::MarkRead {
        conversation: id(20),
        up_to: before.message,
    };
    let not_found = Rejection::field_not_found(Resource::Message, "up_to");
    assert_eq!(rejection(&given, 4, mark.clone()), not_found);
    assert_eq!(events(&given, 2, mark).len(), 1);
}

fn delete(message: u64) -> ConversationCommand {
    ConversationCommand::DeleteMessage {
        conversation: id(20),
        message: id(message),
    }
}

#[test]
fn a_message_is_deleted_by_its_sender_once() {
    let mut given = group();
    given.push(message(21, 20, 1));
    assert_eq!(rejection(&given, 2, delete(21)), Rejection::NotYours);
    let deleted = events(&given, 1, delete(21));
    assert_eq!(deleted.len(), 1);
    given.extend(deleted);
    for actor in [1, 2] {
        assert_eq!(events(&given, actor, delete(21)), []);
    }
    let not_found = Rejection::field_not_found(Resource::Message, "up_to");
    assert_eq!(rejection(&given, 2, read(20, 21)), not_found);
}

#[test]
fn deleting_tells_nothing_of_what_is_not_visible() {
    let mut given = group();
    given.push(message(21, 20, 1));
    given.extend(events(&given, 2, remove(20, 2)));
    given.extend(events(&given, 1, add(20, 4)));
    // A message of a conversation that the account has left, one from before it was added, and one that does not exist.
    for (actor, message) in [(2, 21), (4, 21), (1, 99)] {
        assert_eq!(events(&given, actor, delete(message)), []);
    }
}

#[test]
fn who_has_left_deletes_their_own_messages() {
    let mut given = group();
    given.push(message(21, 20, 2));
    given.extend(events(&given, 2, remove(20, 2)));
    assert_eq!(events(&given, 2, delete(21)).len(), 1);
}
