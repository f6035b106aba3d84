use super::*;
use crate::domain::{
    Command, ConnectionCommand,
    scenario::{AT, account, decide, events, id, rejection},
};

const LIMITS: TagLimits = TagLimits {
    tags: 2,
    members: 2,
};

fn name(name: &str) -> TagName {
    TagName::try_from(name.to_owned()).unwrap()
}

fn create(text: &str) -> TagCommand {
    TagCommand::Create {
        name: name(text),
        limits: LIMITS,
    }
}

fn tag(n: u64, owner: u64, name: &str) -> Event {
    Event::TagCreated(TagCreated {
        tag: id(n),
        owner: id(owner),
        name: name.to_owned(),
    })
}

fn add(tag: u64, member: u64) -> TagCommand {
    TagCommand::AddMember {
        tag: id(tag),
        member: id(member),
        limits: LIMITS,
    }
}

fn remove(tag: u64, member: u64) -> TagCommand {
    TagCommand::RemoveMember {
        tag: id(tag),
        member: id(member),
    }
}

/// Accounts 1 to 5, of which 1 is connected with 2, 3 and 4, and the tags 10 and 11 of account 1.
fn given() -> Vec<Event> {
    let mut given: Vec<Event> = (1..=5).map(account).collect();
    for other in 2..=4 {
        let connect = ConnectionCommand::Connect { other: id(other) };
        given.extend(events(&given, 1, connect));
    }
    given.extend([tag(10, 1, "family"), tag(11, 1, "work")]);
    given
}

fn after(commands: &[(u64, Command)]) -> Vec<Event> {
    let mut given = given();
    for (actor, command) in commands {
        given.extend(events(&given, *actor, command.clone()));
    }
    given
}

fn removed(tag: u64) -> Event {
    Event::TagMemberRemoved(TagMemberRemoved {
        tag: id(tag),
        owner: id(1),
        member: id(2),
        added_at: AT,
    })
}

#[test]
fn names_are_unique_for_an_owner() {
    assert_eq!(rejection(&given(), 1, create("work")), Rejection::TagExists);
    let rename = |text| TagCommand::Rename {
        tag: id(10),
        name: name(text),
    };
    assert_eq!(rejection(&given(), 1, rename("work")), Rejection::TagExists);
    assert_eq!(events(&given(), 1, rename("family")), []);
    assert_eq!(events(&given(), 2, create("work")).len(), 1);
    // The old name of a renamed tag is free.
    let renamed = after(&[(1, rename("kin").into())]);
    let second = TagCommand::Rename {
        tag: id(11),
        name: name("family"),
    };
    assert_eq!(events(&renamed, 1, second).len(), 1);
}

#[test]
fn tags_are_bounded() {
    let full = rejection(&given(), 1, create("friends"));
    assert_eq!(full, Rejection::TooManyTags(2));
    let fewer = after(&[(1, TagCommand::Delete { tag: id(10) }.into())]);
    assert_eq!(events(&fewer, 1, create("friends")).len(), 1);
}

#[test]
fn members_are_connections_of_the_owner_and_bounded() {
    assert_eq!(rejection(&given(), 1, add(10, 5)), Rejection::NotConnected);
    assert_eq!(
        rejection(&given(), 1, add(10, 99)),
        Rejection::not_found(Resource::Account)
    );
    let full = after(&[(1, add(10, 2).into()), (1, add(10, 3).into())]);
    assert_eq!(events(&full, 1, add(10, 2)), []);
    let refused = rejection(&full, 1, add(10, 4));
    assert_eq!(refused, Rejection::TooManyTagMembers(2));
    assert_eq!(events(&full, 1, remove(10, 2)), [removed(10)]);
    assert_eq!(events(&full, 1, remove(10, 4)), []);
}

#[test]
fn a_membership_ends_with_the_connection() {
    let members = after(&[(1, add(10, 2).into()), (1, add(11, 2).into())]);
    for (actor, other) in [(1, 2), (2, 1)] {
        let end = ConnectionCommand::End { other: id(other) };
        let ended = events(&members, actor, end);
        assert_eq!(ended[..2], [removed(10), removed(11)], "by {actor}");
        assert_eq!(ended.len(), 4);
    }
    // A deleted tag has no membership to end.
    let mut fewer = members;
    fewer.extend(events(&fewer, 1, TagCommand::Delete { tag: id(10) }));
    let end = ConnectionCommand::End { other: id(2) };
    assert_eq!(events(&fewer, 1, end)[0], removed(11));
}

#[test]
fn the_tags_of_others_do_not_exist() {
    let unknown = Rejection::not_found(Resource::Tag);
    let rename = TagCommand::Rename {
        tag: id(10),
        name: name("mine"),
    };
    assert_eq!(rejection(&given(), 2, rename), unknown);
    assert_eq!(rejection(&given(), 2, add(10, 1)), unknown);
    assert_eq!(events(&given(), 2, remove(10, 2)), []);
    assert_eq!(events(&given(), 2, TagCommand::Delete { tag: id(10) }), []);
    let deleted = after(&[(1, TagCommand::Delete { tag: id(10) }.into())]);
    assert_eq!(rejection(&deleted, 1, add(10, 2)), unknown);
    assert!(decide(&deleted, 1, remove(10, 2)).is_ok());
}
