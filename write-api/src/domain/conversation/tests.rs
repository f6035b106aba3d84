use feedmill_events::Event;

use super::*;
use crate::domain::{
    Outcome,
    account::Accounts,
    scenario::{account, conversation, decide, events, id, message, rejection},
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
    command.request(id(1), &mut accounts, &mut Conversations::default());
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
