//! One's own posts as others see them.

use feedmill_events::Tag;
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::{App, ids},
    audience_tags::tag,
    audiences::{CONNECTIONS, ME, PUBLIC, TAGS},
    nats::Announcer,
};

const PATH: &str = "/v1/me/posts";

/// The author's posts of each audience, oldest first, and a reply to a post for nobody else of a friend.
async fn posts(app: &App, author: Uuid, friend: Uuid) -> Vec<Uuid> {
    app.connect(author, friend).await;
    let tag = tag(app, 1, author, &[friend]).await;
    let mut posts = Vec::new();
    for audience in [PUBLIC, CONNECTIONS, TAGS, ME] {
        let post = app.post(author, i64::from(audience), None).await;
        let tags = if audience == TAGS { vec![tag] } else { vec![] };
        app.share(post, audience, &tags).await;
        posts.push(post);
    }
    let root = app.post(friend, 8, None).await;
    app.share(root, ME, &[]).await;
    posts.push(app.post(author, 9, Some(root)).await);
    posts
}

#[tokio::test]
async fn own_posts_are_listed_as_each_account_sees_them() {
    let app = App::start().await;
    let (me, friend, follower) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    let mut posts = posts(&app, me, friend).await;
    posts.reverse();
    let [reply, _, with_tag, for_connections, public] = posts[..] else {
        panic!("{posts:?}")
    };
    for (query, expected) in [
        (String::new(), posts.clone()),
        (format!("?as={me}"), posts.clone()),
        ("?as=public".to_owned(), vec![public]),
        (format!("?as={follower}"), vec![public]),
        (
            format!("?as={friend}"),
            vec![reply, with_tag, for_connections, public],
        ),
        (
            "?as=@user2".to_owned(),
            vec![reply, with_tag, for_connections, public],
        ),
    ] {
        let listed = app.get(me, &format!("{PATH}{query}")).await.body;
        assert_eq!(
            ids(listed["items"].as_array().unwrap()),
            expected,
            "{query}"
        );
    }
    for limit in [1, 2, 4, 5] {
        assert_eq!(ids(&app.all(me, PATH, limit).await), posts);
    }
}

#[tokio::test]
async fn audiences_and_likes_are_those_of_who_looks() {
    let app = App::start().await;
    let (me, friend) = (app.account(1).await, app.account(2).await);
    let posts = posts(&app, me, friend).await;
    app.run(&format!(
        "INSERT INTO likes VALUES ('{}', '{friend}', now())",
        posts[0]
    ))
    .await;
    let seen = async |query: &str| {
        let page = app.get(me, &format!("{PATH}{query}")).await.body;
        let items = page["items"].as_array().unwrap().clone();
        let of = |id: Uuid| items.iter().find(|post| post["id"] == json!(id)).cloned();
        let (public, with_tag) = (of(posts[0]).unwrap(), of(posts[2]));
        let with_tag = with_tag.map(|post| post["audience"].clone());
        (public["liked_by_me"] == true, with_tag)
    };
    assert_eq!(seen("").await, (false, Some(json!("tags"))));
    assert_eq!(seen("?as=public").await, (false, None));
    let as_friend = seen(&format!("?as={friend}")).await;
    assert_eq!(as_friend, (true, Some(json!("limited"))));
}

#[tokio::test]
async fn who_is_blocked_sees_none_and_a_blocker_does_not_exist() {
    let app = App::start().await;
    let (me, blocked, blocker) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    app.post(me, 0, None).await;
    app.block(me, blocked).await;
    app.block(blocker, me).await;
    let list = app.get(me, &format!("{PATH}?as={blocked}")).await;
    assert_eq!(list.body["items"], json!([]));
    for unknown in [blocker, Uuid::from_u128(7)] {
        let reply = app.get(me, &format!("{PATH}?as={unknown}")).await;
        assert_eq!(reply.code(), (404, "not_found"));
    }
    for unknown in ["@user3", "@nobody"] {
        let reply = app.get(me, &format!("{PATH}?as={unknown}")).await;
        assert_eq!(reply.code(), (404, "not_found"), "{unknown}");
    }
    let reply = app.get(me, &format!("{PATH}?as=friends")).await;
    assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec!["as"]));
}

#[tokio::test]
async fn the_list_changes_with_what_the_other_may_see() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (me, friend) = (app.account(1).await, app.account(2).await);
    let posts = posts(&app, me, friend).await;
    let path = format!("{PATH}?as={friend}");
    app.get(me, &path).await;
    assert!(app.hits(me, &path).await);
    app.run("UPDATE feed_follows SET connected = false; TRUNCATE tag_members")
        .await;
    let changed = [Tag::access(friend)];
    announcer.announce_and_wait(&app, "feed", &changed).await;
    let page = app.get(me, &path).await.body;
    // The reply is in the friend's own thread.
    let seen = ids(page["items"].as_array().unwrap());
    assert_eq!(seen, [posts[4], posts[0]]);
}
