//! What holds for all kinds holds for kinds that are added later: these tests take them from the table.

use feedmill_events::event::v1;

use super::*;
use crate::domain::{
    decision::Resource,
    scenario::{AT, account, events, id, post, rejection},
};

/// Accounts 1 and 2, and a target of the kind that belongs to account 1.
fn given(kind: LinkKind) -> (Vec<Event>, Uuid) {
    let target = match kind.target() {
        LinkTarget::Post => id(10),
        LinkTarget::Account { .. } => id(1),
    };
    (vec![account(1), account(2), post(10, 1)], target)
}

fn command(kind: LinkKind, action: LinkAction, target: Uuid) -> LinkCommand {
    LinkCommand {
        kind,
        action,
        target,
    }
}

#[test]
fn adding_and_removing_are_idempotent() {
    for kind in LinkKind::ALL.iter().copied() {
        let (mut given, target) = given(kind);
        let steps = [
            (LinkAction::Remove, 0),
            (LinkAction::Add, 1),
            (LinkAction::Add, 0),
            (LinkAction::Remove, 1),
            (LinkAction::Remove, 0),
        ];
        for (step, (action, expected)) in steps.into_iter().enumerate() {
            let changed = events(&given, 2, command(kind, action, target));
            assert_eq!(changed.len(), expected, "{kind:?}, step {step}");
            given.extend(changed);
        }
    }
}

/// The transaction locks the command's partitions only.
#[test]
fn an_event_is_in_the_partition_of_its_command() {
    for kind in LinkKind::ALL.iter().copied() {
        let (mut given, target) = given(kind);
        for action in [LinkAction::Add, LinkAction::Remove] {
            let command = command(kind, action, target);
            let changed = events(&given, 2, command);
            for event in &changed {
                let partitions = command.partitions(id(2));
                assert!(partitions.has(event.partition()), "{event:?}");
            }
            given.extend(changed);
        }
    }
}

#[test]
fn a_link_needs_its_target() {
    for kind in LinkKind::ALL.iter().copied() {
        let resource = match kind.target() {
            LinkTarget::Post => Resource::Post,
            LinkTarget::Account { .. } => Resource::Account,
        };
        let add = command(kind, LinkAction::Add, id(9));
        let rejected = rejection(&[account(1)], 1, add);
        assert_eq!(rejected, Rejection::not_found(resource), "{kind:?}");
    }
}

#[test]
fn removing_a_link_to_what_does_not_exist_changes_nothing() {
    for kind in LinkKind::ALL.iter().copied() {
        let remove = command(kind, LinkAction::Remove, id(9));
        assert_eq!(events(&[account(1)], 1, remove), [], "{kind:?}");
    }
}

/// In one batch, so that the link is still loaded.
#[test]
fn removing_a_link_to_a_post_that_was_just_deleted_changes_nothing() {
    for kind in LinkKind::ALL.iter().copied() {
        let (mut given, target) = given(kind);
        if kind.target() != LinkTarget::Post {
            continue;
        }
        given.extend(events(&given, 2, command(kind, LinkAction::Add, target)));
        let (author, reply_to) = (id(1), None);
        given.push(Event::PostDeleted(v1::PostDeleted {
            post: target,
            author,
            reply_to,
        }));
        let remove = command(kind, LinkAction::Remove, target);
        assert_eq!(events(&given, 2, remove), [], "{kind:?}");
    }
}

#[test]
fn no_account_links_to_itself() {
    for kind in LinkKind::ALL.iter().copied() {
        if let LinkTarget::Account { to_oneself, .. } = kind.target() {
            let add = command(kind, LinkAction::Add, id(1));
            assert_eq!(rejection(&[account(1)], 1, add), to_oneself, "{kind:?}");
            let remove = command(kind, LinkAction::Remove, id(1));
            assert_eq!(events(&[account(1)], 1, remove), [], "{kind:?}");
        }
    }
}

#[test]
fn kinds_do_not_touch_each_other() {
    for kind in LinkKind::ALL.iter().copied() {
        let (mut given, target) = given(kind);
        given.extend(events(&given, 2, command(kind, LinkAction::Add, target)));
        for other in LinkKind::ALL.iter().copied().filter(|other| *other != kind) {
            if other.target() == kind.target() {
                let add = command(other, LinkAction::Add, target);
                assert_eq!(events(&given, 2, add).len(), 1, "{kind:?} and {other:?}");
            }
        }
    }
}

#[test]
fn a_stored_number_is_its_kind() {
    for kind in LinkKind::ALL.iter().copied() {
        assert_eq!(LinkKind::try_from(i16::from(kind)), Ok(kind));
    }
    assert!(LinkKind::try_from(0).is_err());
}

#[test]
fn an_actor_must_exist() {
    let follow = command(LinkKind::Follow, LinkAction::Add, id(1));
    assert_eq!(rejection(&[account(1)], 2, follow), Rejection::UnknownActor);
}

#[test]
fn a_like_names_the_author_and_an_unlike_since_when_it_stood() {
    let (mut given, post) = given(LinkKind::Like);
    let (author, user) = (id(1), id(2));
    let liked = Event::PostLiked(v1::PostLiked { post, author, user });
    let add = command(LinkKind::Like, LinkAction::Add, post);
    let first = events(&given, 2, add);
    assert_eq!(first, [liked]);
    given.extend(first);
    let unliked = v1::PostUnliked {
        post,
        author,
        user,
        liked_at: AT,
    };
    let remove = command(LinkKind::Like, LinkAction::Remove, post);
    assert_eq!(events(&given, 2, remove), [Event::PostUnliked(unliked)]);
}

#[test]
fn an_unfollow_says_since_when_the_follow_stood() {
    let (mut given, followee) = given(LinkKind::Follow);
    let follower = id(2);
    let followed = Event::AccountFollowed(v1::AccountFollowed { follower, followee });
    let add = command(LinkKind::Follow, LinkAction::Add, followee);
    let first = events(&given, 2, add);
    assert_eq!(first, [followed]);
    given.extend(first);
    let unfollowed = v1::AccountUnfollowed {
        follower,
        followee,
        followed_at: AT,
    };
    let remove = command(LinkKind::Follow, LinkAction::Remove, followee);
    assert_eq!(
        events(&given, 2, remove),
        [Event::AccountUnfollowed(unfollowed)]
    );
}
