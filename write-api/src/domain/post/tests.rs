use feedmill_events::{Event, event::v1};

use super::*;
use crate::domain::{
    BlockCommand, LinkAction, LinkCommand, LinkKind, TagCommand,
    audience::ShownAudience,
    scenario::{AT, NOW, account, after, decide, events, id, post, post_to, rejection, reply},
};

fn create(reply_to: Option<Uuid>) -> PostCommand {
    let text = PostText::try_from("text".to_owned()).unwrap();
    PostCommand::Create {
        text,
        reply_to,
        audience: None,
    }
}

#[test]
fn a_reply_belongs_to_the_partition_of_its_thread() {
    let given = [account(1), account(2), post(10, 1)];
    let events = events(&given, 2, create(Some(id(10))));
    let [Event::PostCreated(created)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(Partition::of(created.post), Partition::of(id(10)));
    let parent = Parent {
        post: id(10),
        author: id(1),
    };
    assert_eq!(created.reply_to, Some(parent));
}

#[test]
fn the_id_of_a_post_has_the_time_of_the_decision() {
    let events = events(&[account(1)], 1, create(None));
    let [Event::PostCreated(created)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_ne!(NOW, AT);
    assert_eq!(feedmill_events::id::millis(created.post), NOW);
}

#[test]
fn a_reply_needs_a_post() {
    let expected = Rejection::field_not_found(Resource::Post, "reply_to");
    assert_eq!(rejection(&[account(1)], 1, create(Some(id(9)))), expected);
}

fn edit(text: Option<&str>) -> PostCommand {
    PostCommand::Edit {
        post: id(10),
        text: text.map(|text| PostText::try_from(text.to_owned()).unwrap()),
    }
}

#[test]
fn an_edit_changes_the_text_unless_it_is_the_same() {
    let mut given = vec![account(1), post(10, 1)];
    for unchanged in [Some("text"), Some(" text\r\n"), None] {
        assert_eq!(events(&given, 1, edit(unchanged)), [], "{unchanged:?}");
    }
    let edited = |text: &str| {
        Event::PostEdited(PostEdited {
            post: id(10),
            author: id(1),
            text: text.to_owned(),
        })
    };
    let first = events(&given, 1, edit(Some("another")));
    assert_eq!(first, [edited("another")]);
    given.extend(first);
    assert_eq!(events(&given, 1, edit(Some("another"))), []);
    assert_eq!(events(&given, 1, edit(Some("text"))), [edited("text")]);
}

#[test]
fn only_its_author_edits_a_post() {
    let given = [account(1), account(2), post(10, 1)];
    for text in [Some("another"), Some("text"), None] {
        assert_eq!(rejection(&given, 2, edit(text)), Rejection::NotYours);
        let not_found = Rejection::not_found(Resource::Post);
        assert_eq!(rejection(&given[..2], 1, edit(text)), not_found);
    }
}

/// A post from before `0011_post_texts` has no hash.
#[test]
fn an_edit_of_a_post_with_an_unknown_text_is_a_change() {
    let present = Post {
        author: id(1),
        reply_to: None,
        root: id(10),
        root_author: id(1),
        text: None,
    };
    let text = PostText::try_from("text".to_owned()).unwrap();
    let decision = super::decide::edit(id(10), present, Some(&text));
    assert_eq!(decision.events.len(), 1);
}

#[test]
fn only_its_author_deletes_a_post() {
    let given = [account(1), account(2), post(10, 1)];
    let delete = PostCommand::Delete { post: id(10) };
    assert_eq!(rejection(&given, 2, delete.clone()), Rejection::NotYours);
    assert_eq!(events(&given, 1, delete).len(), 1);
}

#[test]
fn a_deleted_post_is_not_found() {
    let given = [account(1), post(10, 1)];
    let delete = PostCommand::Delete { post: id(10) };
    let deleted = events(&given, 1, delete.clone());
    let given = [&given[..], &deleted[..]].concat();
    let not_found = Rejection::not_found(Resource::Post);
    assert_eq!(rejection(&given, 1, delete), not_found);
    let like = LinkCommand {
        kind: LinkKind::Like,
        action: LinkAction::Add,
        target: id(10),
    };
    assert_eq!(rejection(&given, 1, like), not_found);
}

fn set(post: u64, audience: Audience) -> PostCommand {
    PostCommand::SetAudience {
        post: id(post),
        audience,
    }
}

fn tag(n: u64, owner: u64) -> Event {
    Event::TagCreated(v1::TagCreated {
        tag: id(n),
        owner: id(owner),
        name: n.to_string(),
    })
}

#[test]
fn a_root_post_has_the_given_audience_or_the_default_of_its_author() {
    let mut given = vec![account(1), tag(20, 1)];
    let with = |audience| PostCommand::Create {
        text: PostText::try_from("text".to_owned()).unwrap(),
        reply_to: None,
        audience,
    };
    let audience_of = |given: &[Event], audience| {
        let events = events(given, 1, with(audience));
        let [Event::PostCreated(created)] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(created.root_author, Some(id(1)));
        created.audience.clone()
    };
    let tags = Audience::Tags(vec![id(20)]);
    assert_eq!(audience_of(&given, None), Some(Audience::Public));
    assert_eq!(audience_of(&given, Some(tags.clone())), Some(tags));
    given.push(Event::SettingsChanged(v1::SettingsChanged {
        account: id(1),
        default_audience: Audience::Connections,
        who_may_message: v1::WhoMayMessage::Everyone,
    }));
    assert_eq!(audience_of(&given, None), Some(Audience::Connections));
    let public = Some(Audience::Public);
    assert_eq!(audience_of(&given, public.clone()), public);
}

#[test]
fn a_reply_has_no_audience_of_its_own_and_is_shown_that_of_its_thread() {
    let tags = Audience::Tags(vec![id(20)]);
    let given = [
        account(1),
        account(2),
        tag(20, 1),
        made(1, 2),
        member(20, 1, 2),
        post_to(10, 1, tags),
        reply(11, 2, (10, 1), 1),
    ];
    for (actor, expected) in [
        (1, ShownAudience::Tags(vec![id(20)])),
        (2, ShownAudience::Limited),
    ] {
        let decision = decide(&given, actor, create(Some(id(11)))).unwrap();
        let [Event::PostCreated(created)] = &decision.events[..] else {
            panic!("{decision:?}")
        };
        assert_eq!(created.root_author, Some(id(1)));
        assert_eq!(created.audience, None);
        let Outcome::Post { audience, .. } = decision.outcome else {
            panic!("{decision:?}")
        };
        assert_eq!(audience, expected);
    }
}

fn made(account: u64, other: u64) -> Event {
    Event::ConnectionMade(v1::ConnectionMade {
        account: id(account),
        other: id(other),
        requester: id(account),
        requested_at: None,
    })
}

fn member(tag: u64, owner: u64, member: u64) -> Event {
    Event::TagMemberAdded(v1::TagMemberAdded {
        tag: id(tag),
        owner: id(owner),
        member: id(member),
    })
}

#[test]
fn the_tags_of_an_audience_are_the_authors_and_exist() {
    let given = vec![
        account(1),
        account(2),
        tag(20, 1),
        tag(21, 1),
        tag(22, 2),
        post(10, 1),
    ];
    let delete = TagCommand::Delete { tag: id(21) };
    let given = after(&given, &[(1, delete.into())]);
    let not_found = Rejection::field_not_found(Resource::Tag, "tags");
    for tags in [vec![id(20), id(21)], vec![id(20), id(22)], vec![id(99)]] {
        let audience = Audience::Tags(tags);
        let post = PostCommand::Create {
            text: PostText::try_from("text".to_owned()).unwrap(),
            reply_to: None,
            audience: Some(audience.clone()),
        };
        assert_eq!(rejection(&given, 1, post), not_found);
        assert_eq!(rejection(&given, 1, set(10, audience)), not_found);
    }
}

#[test]
fn the_audience_of_a_thread_is_set_by_the_author_of_its_root_post() {
    let given = vec![
        account(1),
        account(2),
        account(3),
        post(10, 1),
        reply(11, 2, (10, 1), 1),
        post_to(12, 1, Audience::Me),
    ];
    let changed = Event::AudienceChanged(v1::AudienceChanged {
        post: id(10),
        author: id(1),
        audience: Audience::Me,
    });
    assert_eq!(events(&given, 1, set(10, Audience::Me)), [changed]);
    assert_eq!(events(&given, 1, set(10, Audience::Public)), []);
    let own_reply = rejection(&given, 2, set(11, Audience::Me));
    assert_eq!(own_reply, Rejection::NotARootPost);
    let hidden = Rejection::not_found(Resource::Post);
    for (post, expected) in [
        (10, &Rejection::NotYours),
        (11, &Rejection::NotYours),
        (12, &hidden),
        (99, &hidden),
    ] {
        for command in [
            set(post, Audience::Public),
            PostCommand::Delete { post: id(post) },
            PostCommand::Edit {
                post: id(post),
                text: None,
            },
        ] {
            assert_eq!(rejection(&given, 3, command), *expected, "{post}");
        }
    }
    // A post of an account that the actor blocks is not visible to the actor either.
    let block = BlockCommand::Block { other: id(1) };
    let given = after(&given, &[(3, block.into())]);
    assert_eq!(rejection(&given, 3, edit(None)), hidden);
}
