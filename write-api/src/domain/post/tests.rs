use super::*;
use crate::domain::{
    LinkAction, LinkCommand, LinkKind,
    scenario::{AT, NOW, account, events, id, post, rejection},
};

fn create(reply_to: Option<Uuid>) -> PostCommand {
    let text = PostText::try_from("text".to_owned()).unwrap();
    PostCommand::Create { text, reply_to }
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
    let mut posts = Posts::default();
    let present = Post {
        author: id(1),
        reply_to: None,
        text: None,
    };
    posts.load(id(10), present);
    let text = PostText::try_from("text".to_owned()).unwrap();
    let decision = super::edit(&posts, id(1), id(10), Some(&text)).unwrap();
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
