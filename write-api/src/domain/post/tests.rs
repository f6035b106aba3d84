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
