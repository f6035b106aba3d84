//! Who sees which post, by what happens to a like.

use feedmill_events::Event;

use super::*;
use crate::domain::{
    BlockCommand, Command, ConnectionCommand, LinkAction, LinkCommand, LinkKind, PostCommand,
    TagCommand, TagLimits,
    scenario::{account, after, decide, events, id, post_to, rejection, reply},
    text::{PostText, TagName},
};

const LIMITS: TagLimits = TagLimits {
    tags: 10,
    members: 10,
};

fn like(post: u64) -> LinkCommand {
    LinkCommand {
        kind: LinkKind::Like,
        action: LinkAction::Add,
        target: id(post),
    }
}

fn block(other: u64) -> Command {
    BlockCommand::Block { other: id(other) }.into()
}

fn connect(other: u64) -> Command {
    ConnectionCommand::Connect { other: id(other) }.into()
}

fn set(post: u64, audience: Audience) -> PostCommand {
    PostCommand::SetAudience {
        post: id(post),
        audience,
    }
}

fn tag(text: &str) -> Command {
    let name = TagName::try_from(text.to_owned()).unwrap();
    let limits = LIMITS;
    TagCommand::Create { name, limits }.into()
}

fn member(tag: Uuid, member: u64) -> Command {
    TagCommand::AddMember {
        tag,
        member: id(member),
        limits: LIMITS,
    }
    .into()
}

/// Accounts 1 to 4, of which 1 is connected with 2 and 3, and the tag of account 1 that account 2 is a member of.
fn given() -> (Vec<Event>, Uuid) {
    let accounts: Vec<Event> = (1..=4).map(account).collect();
    let given = after(
        &accounts,
        &[(1, connect(2)), (1, connect(3)), (1, tag("mill"))],
    );
    let Some(Event::TagCreated(created)) = given.last() else {
        panic!("{given:?}")
    };
    let tag = created.tag;
    (after(&given, &[(1, member(tag, 2))]), tag)
}

/// What each of the accounts 1 to 4 gets when it likes a post.
fn likes(given: &[Event], post: u64) -> [Result<(), Rejection>; 4] {
    [1, 2, 3, 4].map(|actor| decide(given, actor, like(post)).map(|_| ()))
}

fn hidden() -> Result<(), Rejection> {
    Err(Rejection::not_found(Resource::Post))
}

#[test]
fn an_audience_decides_who_sees_a_thread() {
    let (given, tag) = given();
    for (audience, expected) in [
        (Audience::Public, [true, true, true, true]),
        (Audience::Connections, [true, true, true, false]),
        (Audience::Tags(vec![tag]), [true, true, false, false]),
        (
            Audience::Tags(vec![id(99), tag]),
            [true, true, false, false],
        ),
        (Audience::Me, [true, false, false, false]),
    ] {
        let expected = expected.map(|sees| if sees { Ok(()) } else { hidden() });
        let given = [&given[..], &[post_to(10, 1, audience.clone())]].concat();
        assert_eq!(likes(&given, 10), expected, "{audience:?}");
        // A reply has the audience of its thread, and its author always sees it.
        let reply = [&given[..], &[reply(11, 3, (10, 1), 1)]].concat();
        let [one, two, _, four] = expected;
        assert_eq!(likes(&reply, 11), [one, two, Ok(()), four], "{audience:?}");
    }
}

#[test]
fn a_deleted_root_post_leaves_its_audience_to_the_replies() {
    let (mut given, tag) = given();
    given.extend([
        post_to(10, 1, Audience::Tags(vec![tag])),
        reply(11, 2, (10, 1), 1),
    ]);
    let given = after(&given, &[(1, PostCommand::Delete { post: id(10) }.into())]);
    assert_eq!(likes(&given, 11), [Ok(()), Ok(()), hidden(), hidden()]);
}

/// In one batch, so that the state of the earlier command decides.
#[test]
fn a_change_decides_from_the_next_command_on() {
    let (mut given, tag) = given();
    given.push(post_to(10, 1, Audience::Tags(vec![tag])));
    let sees = |given: &[Event], actor| decide(given, actor, like(10)).is_ok();
    assert!(sees(&given, 2) && !sees(&given, 3));
    let end = ConnectionCommand::End { other: id(2) };
    let remove = TagCommand::RemoveMember { tag, member: id(2) };
    for gone in [
        (1, TagCommand::Delete { tag }.into()),
        (1, remove.into()),
        (2, ConnectionCommand::End { other: id(1) }.into()),
        (1, end.into()),
        (1, block(2)),
        (2, block(1)),
        (1, set(10, Audience::Me).into()),
    ] {
        let name = gone.1.name();
        assert!(!sees(&after(&given, &[gone]), 2), "{name}");
    }
    for seen in [
        member(tag, 3),
        set(10, Audience::Connections).into(),
        set(10, Audience::Public).into(),
    ] {
        let name = seen.name();
        assert!(sees(&after(&given, &[(1, seen)]), 3), "{name}");
    }
}

#[test]
fn a_block_hides_posts_from_both() {
    let (mut given, _) = given();
    given.extend([post_to(10, 1, Audience::Public), reply(11, 2, (10, 1), 1)]);
    // The author blocks.
    let blocked = after(&given, &[(1, block(3))]);
    assert_eq!(likes(&blocked, 10), [Ok(()), Ok(()), hidden(), Ok(())]);
    // The root's author blocks, or is blocked: also the replies of others are hidden.
    assert_eq!(likes(&blocked, 11), [Ok(()), Ok(()), hidden(), Ok(())]);
    let blocks = after(&given, &[(3, block(1))]);
    assert_eq!(likes(&blocks, 11), [Ok(()), Ok(()), hidden(), Ok(())]);
    // The actor blocks the author, and would see the post otherwise.
    let refused = Err(Rejection::Blocked);
    assert_eq!(
        likes(&blocks, 10),
        [Ok(()), Ok(()), refused.clone(), Ok(())]
    );
    // Whoever blocks knows of it, also if the other one blocks, too.
    let both = after(&given, &[(3, block(1)), (1, block(3))]);
    assert_eq!(likes(&both, 10)[2], refused);
    // A reply by somebody whom the actor blocks, in the thread of another.
    let replier = after(&given, &[(4, block(2))]);
    assert_eq!(likes(&replier, 10)[3], Ok(()));
    assert_eq!(likes(&replier, 11)[3], refused);
    // The author of the root post sees a reply by its audience, but not through a block.
    let own_thread = after(&given, &[(2, block(1))]);
    assert_eq!(likes(&own_thread, 11)[0], hidden());
    assert_eq!(likes(&own_thread, 11)[1], Ok(()));
}

#[test]
fn a_post_that_is_hidden_for_another_reason_does_not_tell_of_the_own_block() {
    let (mut given, _) = given();
    given.push(post_to(10, 1, Audience::Connections));
    let given = after(&given, &[(2, block(1))]);
    assert_eq!(likes(&given, 10)[1], hidden());
}

#[test]
fn a_bookmark_and_a_reply_need_access_and_undoing_needs_none() {
    let (mut given, _) = given();
    given.push(post_to(10, 1, Audience::Public));
    let bookmark = LinkCommand {
        kind: LinkKind::Bookmark,
        ..like(10)
    };
    let reply = |post| PostCommand::Create {
        text: PostText::try_from("reply".to_owned()).unwrap(),
        reply_to: Some(id(post)),
        audience: None,
    };
    let liked = after(&given, &[(2, like(10).into()), (2, bookmark.into())]);
    let hidden_from = after(&liked, &[(1, block(2))]);
    assert_eq!(rejection(&hidden_from, 2, bookmark), hidden().unwrap_err());
    let not_found = Rejection::field_not_found(Resource::Post, "reply_to");
    assert_eq!(rejection(&hidden_from, 2, reply(10)), not_found);
    let blocks = after(&given, &[(2, block(1))]);
    assert_eq!(rejection(&blocks, 2, bookmark), Rejection::Blocked);
    assert_eq!(rejection(&blocks, 2, reply(10)), Rejection::Blocked);
    for added in [like(10), bookmark] {
        let remove = LinkCommand {
            action: LinkAction::Remove,
            ..added
        };
        assert_eq!(events(&hidden_from, 2, remove).len(), 1);
    }
}

#[test]
fn tags_of_a_request_are_in_order_and_bounded() {
    let tags = |ids: &[u64]| Some(ids.iter().map(|n| id(*n)).collect::<Vec<Uuid>>());
    let kind = Some(AudienceKind::Tags);
    let ascending = Audience::Tags(vec![id(1), id(2)]);
    assert_eq!(audience(kind, tags(&[2, 1, 2])), Ok(Some(ascending)));
    assert_eq!(audience(kind, None), Err(TagsError::Missing));
    assert_eq!(audience(kind, tags(&[])), Err(TagsError::Number));
    let many: Vec<u64> = (0..=MAX_TAGS as u64).collect();
    assert_eq!(audience(kind, tags(&many)), Err(TagsError::Number));
    assert!(audience(kind, tags(&many[1..])).is_ok());
    let public = Some(AudienceKind::Public);
    assert_eq!(audience(public, tags(&[1])), Err(TagsError::OtherAudience));
    assert_eq!(audience(None, tags(&[1])), Err(TagsError::OtherAudience));
    assert_eq!(audience(None, None), Ok(None));
    for (name, kind) in [
        ("public", AudienceKind::Public),
        ("connections", AudienceKind::Connections),
        ("tags", AudienceKind::Tags),
        ("me", AudienceKind::Me),
    ] {
        assert_eq!(AudienceKind::try_from(name.to_owned()), Ok(kind));
    }
    assert!(AudienceKind::try_from("friends".to_owned()).is_err());
}

#[test]
fn only_the_author_of_a_thread_is_shown_its_tags() {
    let (connections, limited) = (ShownAudience::Connections, ShownAudience::Limited);
    let tags = Audience::Tags(vec![id(1)]);
    for (audience, own, others) in [
        (
            Audience::Public,
            ShownAudience::Public,
            ShownAudience::Public,
        ),
        (Audience::Connections, connections.clone(), connections),
        (tags, ShownAudience::Tags(vec![id(1)]), limited.clone()),
        (Audience::Me, ShownAudience::Me, limited),
    ] {
        assert_eq!(ShownAudience::of(&audience, true), own);
        assert_eq!(ShownAudience::of(&audience, false), others);
    }
}
