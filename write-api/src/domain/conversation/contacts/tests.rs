//! Blocks, and who may message whom.

use feedmill_events::{Event, Partition, event::v1};

use super::*;
use crate::domain::{
    BlockCommand, Command, ConnectionCommand, ConversationCommand,
    scenario::{account, after, conversation, decide, events, id, message, rejection},
    text::MessageText,
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

fn block(other: u64) -> Command {
    BlockCommand::Block { other: id(other) }.into()
}

fn add(account: u64) -> ConversationCommand {
    ConversationCommand::AddMember {
        conversation: id(20),
        account: id(account),
    }
}

fn only_connections(account: u64) -> Event {
    Event::SettingsChanged(v1::SettingsChanged {
        account: id(account),
        default_audience: v1::Audience::Public,
        who_may_message: v1::WhoMayMessage::Connections,
    })
}

#[test]
fn a_block_closes_the_conversation_of_two_and_no_group() {
    let given = [
        account(1),
        account(2),
        account(3),
        conversation(20, &[1, 2]),
        conversation(30, &[1, 2, 3]),
        message(21, 20, 1),
    ];
    let given = after(&given, &[(1, block(2))]);
    for actor in [1, 2] {
        let closed = Rejection::ConversationClosed;
        assert_eq!(rejection(&given, actor, send(20)), closed, "by {actor}");
        assert_eq!(events(&given, actor, send(30)).len(), 1);
    }
    // Reading, marks and muting go on.
    assert_eq!(events(&given, 2, read(20, 21)).len(), 1);
    let mute = ConversationCommand::SetMuted {
        conversation: id(20),
        muted: true,
    };
    assert_eq!(events(&given, 2, mute).len(), 1);
    let unblock = BlockCommand::Unblock { other: id(2) };
    let given = after(&given, &[(1, unblock.into())]);
    assert_eq!(events(&given, 2, send(20)).len(), 1);
}

#[test]
fn nobody_starts_a_conversation_through_a_block() {
    let given: Vec<Event> = (1..=3).map(account).collect();
    let not_found = Rejection::field_not_found(Resource::Account, "members");
    let blocked = after(&given, &[(2, block(1))]);
    assert_eq!(rejection(&blocked, 1, start(&[2])), not_found);
    assert_eq!(rejection(&blocked, 1, start(&[2, 3])), not_found);
    let blocks = after(&given, &[(1, block(2))]);
    assert_eq!(rejection(&blocks, 1, start(&[2])), Rejection::Blocked);
    // Also if the two have one, and if others of the members block each other.
    let blocks = [&blocks[..], &[conversation(20, &[1, 2])]].concat();
    assert_eq!(rejection(&blocks, 1, start(&[2])), Rejection::Blocked);
    assert_eq!(
        events(&after(&given, &[(3, block(2))]), 1, start(&[2, 3])).len(),
        1
    );
    // An account that blocks the actor is as if it did not exist, also beside one that the actor blocks.
    let both = after(&given, &[(1, block(2)), (3, block(1))]);
    assert_eq!(rejection(&both, 1, start(&[2, 3])), not_found);
    assert_eq!(rejection(&both, 1, start(&[2, 99])), not_found);
}

#[test]
fn nobody_adds_an_account_through_a_block() {
    let mut given: Vec<Event> = (1..=4).map(account).collect();
    given.push(conversation(20, &[1, 2, 3]));
    let blocks = after(&given, &[(1, block(4))]);
    assert_eq!(rejection(&blocks, 1, add(4)), Rejection::Blocked);
    let blocked = after(&given, &[(4, block(1))]);
    let not_found = Rejection::not_found(Resource::Account);
    assert_eq!(rejection(&blocked, 1, add(4)), not_found);
    assert_eq!(rejection(&blocked, 1, add(99)), not_found);
    // Another member may add it.
    assert_eq!(events(&blocked, 2, add(4)).len(), 1);
}

#[test]
fn an_account_may_accept_messages_of_its_connections_only() {
    let mut given: Vec<Event> = (1..=4).map(account).collect();
    given.extend([only_connections(4), conversation(20, &[1, 2, 3])]);
    let refused = |field| Rejection::MessagesNotAccepted { field };
    assert_eq!(rejection(&given, 1, start(&[4])), refused(Some("members")));
    assert_eq!(
        rejection(&given, 1, start(&[2, 4])),
        refused(Some("members"))
    );
    assert_eq!(rejection(&given, 1, add(4)), refused(None));
    // The actor's own setting does not matter, and existing conversations stay.
    let by_4 = ConversationCommand::Start {
        members: [id(1)].into(),
        title: None,
        creator: Some(id(4)),
    };
    assert_eq!(events(&given, 4, by_4).len(), 1);
    let existing = [&given[..], &[conversation(30, &[1, 4])]].concat();
    assert!(decide(&existing, 1, start(&[4])).is_ok());
    assert_eq!(events(&existing, 1, send(30)).len(), 1);
    // Blocks are checked first.
    let blocks = after(&given, &[(1, block(4))]);
    assert_eq!(rejection(&blocks, 1, start(&[4])), Rejection::Blocked);
    assert_eq!(rejection(&blocks, 1, add(4)), Rejection::Blocked);
    let connect = ConnectionCommand::Connect { other: id(4) };
    let connected = after(&given, &[(1, connect.into())]);
    assert_eq!(events(&connected, 1, start(&[4])).len(), 1);
    assert_eq!(events(&connected, 1, add(4)).len(), 1);
}

/// Its creator is unknown, and the old system has allowed it.
#[test]
fn an_imported_conversation_is_not_refused_for_blocks_and_settings() {
    let given: Vec<Event> = (1..=3).map(account).chain([only_connections(3)]).collect();
    let given = after(&given, &[(1, block(2))]);
    let import = ConversationCommand::Start {
        members: [1, 2, 3].map(id).into(),
        title: None,
        creator: None,
    };
    assert_eq!(events(&given, 1, import).len(), 1);
}

#[test]
fn commands_that_a_block_can_refuse_lock_the_actors_partition() {
    let actor = id(1);
    for command in [start(&[2]), send(20), add(4)] {
        let partitions = command.partitions(actor);
        let name = command.name();
        assert!(partitions.has(Partition::of(actor)), "{name}");
        assert!(partitions.has(command.partition(actor)), "{name}");
    }
}
