//! For whom a post is.

use feedmill_events::event::v1::Audience;
use reqwest::Method;
use serde_json::{Value, json};

use super::{People, bookmark, ids, one, post, post_to, reply, status, tag_with};

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_full_although_posts_between_are_hidden() {
    let people = People::create().await;
    let [alice, bob, carol, _] = &people.clients;
    let [a, ..] = people.accounts;
    bob.follow(a).await.expect(204);
    let mut public = Vec::new();
    for n in 0..5 {
        public.insert(0, post(alice, &format!("Public {n}")).await);
        for _ in 0..3 {
            post_to(alice, &Audience::Me, "Hidden").await;
        }
    }
    assert_eq!(ids(bob, "/v1/feed").await, public);
    let posts = format!("/v1/users/{a}/posts");
    assert_eq!(ids(carol, &posts).await, public);
    assert_eq!(ids(alice, &posts).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_posts_are_in_ones_own_lists_only() {
    let people = People::create().await;
    let [alice, bob, ..] = &people.clients;
    let [a, ..] = people.accounts;
    let private = post_to(alice, &Audience::Me, "Note to self").await;
    alice.like(private).await.expect(204);
    bookmark(alice, private).await;
    let posts = format!("/v1/users/{a}/posts");
    for path in ["/v1/feed", "/v1/likes", "/v1/bookmarks", &posts] {
        assert_eq!(ids(alice, path).await, [private], "{path}");
    }
    let shown = one(alice, &format!("/v1/posts/{private}")).await;
    assert_eq!(shown["audience"], "me");
    assert_eq!(shown["tags"], Value::Null);
    assert_eq!(status(bob, &format!("/v1/posts/{private}")).await, 404);
    assert!(ids(bob, &posts).await.is_empty());
    for client in [alice, bob] {
        let profile = one(client, &format!("/v1/users/{a}")).await;
        assert_eq!(profile["posts_count"], 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_to_one_tag_is_not_shown_to_members_of_another() {
    let people = People::create().await;
    people.connect_first_with(&[1, 2]).await;
    let [alice, bob, carol, dave] = &people.clients;
    let [_, b, c, _] = people.accounts;
    let family = tag_with(alice, "family", b).await;
    let work = tag_with(alice, "work", c).await;
    let shared = post_to(alice, &Audience::Tags(vec![family]), "For the family").await;
    let path = format!("/v1/posts/{shared}");
    for client in [carol, dave] {
        assert_eq!(status(client, &path).await, 404);
    }
    assert!(ids(carol, "/v1/feed").await.is_empty());
    // A member is not told which tag it is.
    let limited = one(bob, &path).await;
    assert_eq!(limited["audience"], "limited");
    assert_eq!(limited["tags"], Value::Null);
    let own = one(alice, &path).await;
    assert_eq!(own["audience"], "tags");
    assert_eq!(own["tags"], json!([family]));

    // Present state decides: who joins sees what was shared before, who leaves no longer does.
    alice.tag_member(family, c, true).await.expect(204);
    alice.tag_member(family, b, false).await.expect(204);
    assert_eq!(ids(carol, "/v1/feed").await, [shared]);
    assert_eq!(status(bob, &path).await, 404);
    let wider = Audience::Tags(vec![family, work]);
    alice.change_audience(shared, &wider).await.expect(204);
    alice.tag_member(family, c, false).await.expect(204);
    assert_eq!(status(carol, &path).await, 200, "still a member of work");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_tag_shows_its_posts_to_their_author_only() {
    let people = People::create().await;
    people.connect_first_with(&[1]).await;
    let [alice, bob, ..] = &people.clients;
    let tag = tag_with(alice, "family", people.accounts[1]).await;
    let shared = post_to(alice, &Audience::Tags(vec![tag]), "For the family").await;
    let answer = reply(bob, shared, "Thanks").await;
    let path = format!("/v1/posts/{shared}");
    assert_eq!(status(bob, &path).await, 200);
    let of_tag = format!("/v1/tags/{tag}");
    let deleted = alice.command(Method::DELETE, &of_tag, None).await;
    deleted.expect(204);
    assert_eq!(status(bob, &path).await, 404);
    let own = one(alice, &path).await;
    assert_eq!(
        (&own["audience"], &own["tags"]),
        (&json!("tags"), &json!([tag]))
    );
    // Their own reply stays theirs.
    assert_eq!(status(bob, &format!("/v1/posts/{answer}")).await, 200);
    let again = alice.post_to(&Audience::Tags(vec![tag]), "Again").await;
    assert_eq!(again.status, 404, "{again:?}");
    assert_eq!(again.fields(), ["tags"], "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_to_a_deleted_root_post_stay_limited() {
    let people = People::create().await;
    people.connect_first_with(&[1, 3]).await;
    let [alice, bob, carol, dave] = &people.clients;
    let root = post_to(alice, &Audience::Connections, "For connections").await;
    let answer = reply(bob, root, "An answer").await;
    alice.delete_post(root).await.expect(204);
    let (path, replies) = (
        format!("/v1/posts/{answer}"),
        format!("/v1/posts/{root}/replies"),
    );
    assert_eq!(status(carol, &path).await, 404);
    assert_eq!(status(carol, &replies).await, 404);
    assert!(
        ids(carol, &format!("/v1/users/{}/posts", people.accounts[1]))
            .await
            .is_empty()
    );
    assert_eq!(ids(dave, &replies).await, [answer]);
    assert_eq!(one(dave, &path).await["audience"], "connections");
    // It is not public for the count either.
    let profile = one(carol, &format!("/v1/users/{}", people.accounts[1])).await;
    assert_eq!(profile["posts_count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_author_changes_an_audience_and_only_of_a_root_post() {
    let people = People::create().await;
    let [alice, bob, ..] = &people.clients;
    let root = post(alice, "A post").await;
    let answer = reply(alice, root, "A reply").await;
    let other = bob.change_audience(root, &Audience::Me).await;
    other.expect_problem(403, "not_yours");
    let of_reply = alice.change_audience(answer, &Audience::Me).await;
    of_reply.expect_problem(409, "not_a_root_post");
    for _ in 0..2 {
        let changed = alice.change_audience(root, &Audience::Me).await;
        changed.expect(204);
    }
    assert_eq!(status(bob, &format!("/v1/posts/{answer}")).await, 404);
    let hidden = bob.change_audience(root, &Audience::Public).await;
    assert_eq!(hidden.status, 404, "{hidden:?}");
    let edited = bob.edit_post(root, "Mine now").await;
    assert_eq!(edited.status, 404, "{edited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_audience_is_for_posts_that_name_none() {
    let people = People::create().await;
    people.connect_first_with(&[1]).await;
    let [alice, bob, carol, _] = &people.clients;
    let settings = json!({"default_audience": "connections", "bio": "Private"});
    let changed = alice.change_profile(settings).await.expect(200).json();
    assert_eq!(changed["default_audience"], "connections");
    assert_eq!(changed["who_may_message"], "everyone");
    assert_eq!(changed["bio"], "Private");
    let limited = post(alice, "For connections").await;
    let public = post_to(alice, &Audience::Public, "For all").await;
    let posts = format!("/v1/users/{}/posts", people.accounts[0]);
    assert_eq!(ids(bob, &posts).await, [public, limited]);
    assert_eq!(ids(carol, &posts).await, [public]);
    assert_eq!(
        one(alice, "/v1/me").await["default_audience"],
        "connections"
    );
    let profile = one(carol, &format!("/v1/users/{}", people.accounts[0])).await;
    assert_eq!(profile.get("default_audience"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_posts_are_shown_as_somebody_else_sees_them() {
    let people = People::create().await;
    people.connect_first_with(&[1]).await;
    let [alice, bob, ..] = &people.clients;
    let [_, b, c, d] = people.accounts;
    let tag = tag_with(alice, "family", b).await;
    let public = post(alice, "For all").await;
    let shared = post_to(alice, &Audience::Tags(vec![tag]), "For the family").await;
    let private = post_to(alice, &Audience::Me, "Note to self").await;
    bob.like(shared).await.expect(204);
    let path = "/v1/me/posts";
    assert_eq!(ids(alice, path).await, [private, shared, public]);
    assert_eq!(ids(alice, &format!("{path}?as=public")).await, [public]);
    let as_bob = format!("{path}?as={b}");
    assert_eq!(ids(alice, &as_bob).await, [shared, public]);
    assert_eq!(
        ids(alice, &format!("{path}?as=@bob")).await,
        [shared, public]
    );
    assert_eq!(ids(alice, &format!("{path}?as={c}")).await, [public]);
    let first = one(alice, &as_bob).await["items"][0].clone();
    assert_eq!(first["audience"], "limited");
    assert_eq!(first["tags"], Value::Null);
    assert_eq!(first["liked_by_me"], true);

    people.clients[0].block(c, true).await.expect(204);
    assert!(ids(alice, &format!("{path}?as={c}")).await.is_empty());
    people.clients[3]
        .block(people.accounts[0], true)
        .await
        .expect(204);
    assert_eq!(status(alice, &format!("{path}?as={d}")).await, 404);
    assert_eq!(status(alice, &format!("{path}?as=@nobody")).await, 404);
}
