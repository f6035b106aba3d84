use feedmill_events::{Event, event::v1};

use super::*;
use crate::domain::{
    Command, ConnectionCommand, LinkAction, LinkCommand, LinkKind, TagCommand, TagLimits,
    decision::Resource,
    scenario::{AT, account, after, events, id, post, rejection},
    text::TagName,
};

const LIMITS: TagLimits = TagLimits {
    tags: 10,
    members: 10,
};

fn block(other: u64) -> BlockCommand {
    BlockCommand::Block { other: id(other) }
}

fn unblock(other: u64) -> BlockCommand {
    BlockCommand::Unblock { other: id(other) }
}

fn link(kind: LinkKind, target: u64) -> LinkCommand {
    LinkCommand {
        kind,
        action: LinkAction::Add,
        target: id(target),
    }
}

fn request(other: u64) -> ConnectionCommand {
    ConnectionCommand::Request {
        other: id(other),
        max_pending: 10,
    }
}

fn accounts() -> Vec<Event> {
    (1..=3).map(account).collect()
}

/// The two events of a block of account 2 by account 1.
fn block_events() -> [Event; 2] {
    [(1, 2), (2, 1)].map(|(account, other)| {
        Event::AccountBlocked(v1::AccountBlocked {
            account: id(account),
            other: id(other),
            blocker: id(1),
        })
    })
}

#[test]
fn a_block_and_its_end_have_an_event_in_both_partitions_and_are_idempotent() {
    let given = accounts();
    let blocked = events(&given, 1, block(2));
    assert_eq!(blocked, block_events());
    let given = [given, blocked].concat();
    assert_eq!(events(&given, 1, block(2)), []);
    assert_eq!(events(&given, 2, unblock(1)), [], "that is the other's");
    let unblocked = [(1, 2), (2, 1)].map(|(account, other)| {
        Event::AccountUnblocked(v1::AccountUnblocked {
            account: id(account),
            other: id(other),
            blocker: id(1),
            blocked_at: AT,
        })
    });
    let ended = events(&given, 1, unblock(2));
    assert_eq!(ended, unblocked);
    let given = [given, ended].concat();
    assert_eq!(events(&given, 1, unblock(2)), []);
    assert_eq!(events(&given, 1, block(2)).len(), 2);
}

#[test]
fn an_account_blocks_any_other_that_exists() {
    assert_eq!(rejection(&accounts(), 1, block(1)), Rejection::SelfBlock);
    let unknown = Rejection::not_found(Resource::Account);
    assert_eq!(rejection(&accounts(), 1, block(9)), unknown);
    for other in [1, 9] {
        assert_eq!(events(&accounts(), 1, unblock(other)), []);
    }
    // Also one that blocks it.
    let given = after(&accounts(), &[(1, block(2).into())]);
    assert_eq!(events(&given, 2, block(1)).len(), 2);
}

#[test]
fn a_block_cuts_follows_the_connection_and_memberships_and_leaves_the_rest() {
    let tag_of = |owner: u64, given: &[Event]| {
        let name = TagName::try_from("mill".to_owned()).unwrap();
        let limits = LIMITS;
        let created = events(given, owner, TagCommand::Create { name, limits });
        let [Event::TagCreated(tag)] = &created[..] else {
            panic!("{created:?}")
        };
        (tag.tag, created)
    };
    let mut given = accounts();
    given.push(post(10, 2));
    let (first, created) = tag_of(1, &given);
    given.extend(created);
    let (second, created) = tag_of(2, &given);
    given.extend(created);
    let member = |tag, other| -> Command {
        TagCommand::AddMember {
            tag,
            member: id(other),
            limits: LIMITS,
        }
        .into()
    };
    let given = after(
        &given,
        &[
            (1, link(LinkKind::Follow, 2).into()),
            (2, link(LinkKind::Follow, 1).into()),
            (3, link(LinkKind::Follow, 1).into()),
            (1, link(LinkKind::Mute, 2).into()),
            (1, link(LinkKind::Like, 10).into()),
            (1, request(2).into()),
            (2, request(1).into()),
            (1, member(first, 2)),
            (2, member(second, 1)),
        ],
    );
    let unfollowed = |follower, followee| {
        Event::AccountUnfollowed(v1::AccountUnfollowed {
            follower: id(follower),
            followee: id(followee),
            followed_at: AT,
        })
    };
    let removed = |tag, owner, member| {
        Event::TagMemberRemoved(v1::TagMemberRemoved {
            tag,
            owner: id(owner),
            member: id(member),
            added_at: AT,
        })
    };
    let disconnected = |account, other| {
        Event::ConnectionEnded(v1::ConnectionEnded {
            account: id(account),
            other: id(other),
            requester: id(1),
            connected_at: AT,
        })
    };
    let cuts = vec![
        unfollowed(1, 2),
        unfollowed(2, 1),
        removed(first, 1, 2),
        removed(second, 2, 1),
        disconnected(1, 2),
        disconnected(2, 1),
    ];
    let expected = [cuts, block_events().to_vec()].concat();
    let blocked = events(&given, 1, block(2));
    assert_eq!(blocked, expected);
    let partitions = block(2).partitions(id(1));
    assert!(
        blocked
            .iter()
            .all(|event| partitions.has(event.partition()))
    );
    // Nothing is cut again, and the end of the block restores nothing.
    let given = after(&given, &[(1, block(2).into()), (2, block(1).into())]);
    assert_eq!(events(&given, 1, unblock(2)).len(), 2);
    assert_eq!(events(&given, 2, unblock(1)).len(), 2);
}

#[test]
fn a_block_ends_a_request_in_either_direction_without_declining_it() {
    for (from, to) in [(1, 2), (2, 1)] {
        let given = after(&accounts(), &[(from, request(to).into())]);
        let ended = Event::ConnectionRequestEnded(v1::ConnectionRequestEnded {
            from: id(from),
            to: id(to),
            requested_at: AT,
            declined: false,
        });
        let expected = [vec![ended], block_events().to_vec()].concat();
        assert_eq!(events(&given, 1, block(2)), expected);
        let given = after(&given, &[(1, block(2).into()), (1, unblock(2).into())]);
        assert_eq!(events(&given, from, request(to)).len(), 1);
    }
}

#[test]
fn acts_on_the_other_account_are_refused_for_both() {
    let name = TagName::try_from("mill".to_owned()).unwrap();
    let limits = LIMITS;
    let create: Command = TagCommand::Create { name, limits }.into();
    let not_found = Rejection::not_found(Resource::Account);
    for (blockers, actor, expected) in [
        (&[(1, 2)][..], 1, Rejection::Blocked),
        (&[(2, 1)][..], 1, not_found),
        (&[(1, 2), (2, 1)][..], 1, Rejection::Blocked),
    ] {
        let mut given = after(&accounts(), &[(actor, create.clone())]);
        let Some(Event::TagCreated(tag)) = given.last().cloned() else {
            panic!("{given:?}")
        };
        for (blocker, other) in blockers {
            given.extend(events(&given, *blocker, block(*other)));
        }
        let member = TagCommand::AddMember {
            tag: tag.tag,
            member: id(2),
            limits: LIMITS,
        };
        for command in [
            Command::from(link(LinkKind::Follow, 2)),
            request(2).into(),
            ConnectionCommand::Connect { other: id(2) }.into(),
            member.into(),
        ] {
            let name = command.name();
            assert_eq!(rejection(&given, actor, command), expected, "{name}");
        }
        // A mute ignores blocks, and undoing succeeds.
        let mute = link(LinkKind::Mute, 2);
        assert_eq!(events(&given, actor, mute).len(), 1);
        let unfollow = LinkCommand {
            action: LinkAction::Remove,
            ..link(LinkKind::Follow, 2)
        };
        assert_eq!(events(&given, actor, unfollow), []);
        let end = ConnectionCommand::End { other: id(2) };
        assert_eq!(events(&given, actor, end), []);
    }
}

/// Whoever comes second must see the other one, so both lock the actor's partition.
#[test]
fn an_act_locks_a_partition_in_common_with_the_blocks_that_concern_the_actor() {
    let (actor, author, target) = (id(1), id(2), id(3));
    let like = LinkCommand {
        kind: LinkKind::Like,
        action: LinkAction::Add,
        target,
    };
    for blocker in [actor, author] {
        let other = if blocker == actor { author } else { actor };
        let block = BlockCommand::Block { other };
        let locked = like.partitions(actor);
        assert!(locked.intersects(block.partitions(blocker)));
        assert!(locked.has(Partition::of(actor)) && locked.has(Partition::of(target)));
    }
    let unlike = LinkCommand {
        action: LinkAction::Remove,
        ..like
    };
    assert_eq!(unlike.partitions(actor), Partition::of(target).into());
}
