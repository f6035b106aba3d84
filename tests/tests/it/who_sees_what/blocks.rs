//! What a block ends and what it refuses.

use feedmill_tests::link::LinkKind;
use serde_json::{Value, json};

use super::{People, bookmark, ids, one, post, reply, status};

#[tokio::test(flavor = "multi_thread")]
async fn posts_leave_the_feeds_of_both_and_do_not_come_back() {
    let people = People::create().await;
    let [alice, bob, ..] = &people.clients;
    let [a, b, ..] = people.accounts;
    people.connect_first_with(&[1]).await;
    alice.follow(b).await.expect(204);
    bob.follow(a).await.expect(204);
    let (by_alice, by_bob) = (post(alice, "By Alice").await, post(bob, "By Bob").await);
    assert_eq!(ids(alice, "/v1/feed").await, [by_bob, by_alice]);
    assert_eq!(ids(bob, "/v1/feed").await, [by_bob, by_alice]);

    alice.block(b, true).await.expect(204);
    assert_eq!(ids(alice, "/v1/feed").await, [by_alice]);
    assert_eq!(ids(bob, "/v1/feed").await, [by_bob]);
    for (client, other, post) in [(alice, b, by_bob), (bob, a, by_alice)] {
        assert_eq!(status(client, &format!("/v1/posts/{post}")).await, 404);
        for list in ["posts", "followers", "following", "connections", "tags"] {
            let path = format!("/v1/users/{other}/{list}");
            assert_eq!(status(client, &path).await, 404, "{path}");
        }
    }
    assert_eq!(ids(alice, "/v1/blocks").await, [b]);
    assert!(ids(bob, "/v1/blocks").await.is_empty());

    alice.block(b, false).await.expect(204);
    assert_eq!(ids(alice, "/v1/feed").await, [by_alice]);
    assert_eq!(ids(bob, "/v1/feed").await, [by_bob]);
    assert_eq!(status(bob, &format!("/v1/posts/{by_alice}")).await, 200);
    let path = format!("/v1/relationships?id={b}");
    let related = one(alice, &path).await["items"][0].clone();
    assert_eq!(related["following"], false);
    assert_eq!(related["connection"], "none");
    assert_eq!(related["blocking"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn for_the_blocked_the_blocker_does_not_exist() {
    let people = People::create().await;
    let [alice, bob, ..] = &people.clients;
    let [a, b, ..] = people.accounts;
    let bio = json!({"bio": "About Bob"});
    bob.change_profile(bio).await.expect(200);
    post(bob, "By Bob").await;
    alice.block(b, true).await.expect(204);
    for path in [format!("/v1/users/{a}"), "/v1/users/@alice".to_owned()] {
        assert_eq!(status(bob, &path).await, 404, "{path}");
    }
    let related = one(bob, &format!("/v1/relationships?id={a}")).await;
    assert_eq!(related, json!({"items": []}));
    // The blocker sees a bare card.
    let card = one(alice, &format!("/v1/users/{b}")).await;
    assert_eq!(card["handle"], "bob");
    assert_eq!(
        (&card["bio"], &card["posts_count"]),
        (&json!(""), &json!(0))
    );
    let related = one(alice, &format!("/v1/relationships?id={b}")).await;
    assert_eq!(related["items"][0]["blocking"], true);

    // Where both block, each is the blocker.
    bob.block(a, true).await.expect(204);
    assert_eq!(status(bob, &format!("/v1/users/{a}")).await, 200);
    assert_eq!(status(alice, &format!("/v1/users/{b}")).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acts_on_the_other() {
    let people = People::create().await;
    let [alice, bob, ..] = &people.clients;
    let [a, b, ..] = people.accounts;
    let (by_alice, by_bob) = (post(alice, "By Alice").await, post(bob, "By Bob").await);
    let tag = alice.create_tag("family").await.expect(201).id();
    let of_bob = bob.create_tag("family").await.expect(201).id();
    alice.block(b, true).await.expect(204);
    for (client, other, post, tag, expected) in [
        (alice, b, by_bob, tag, 409),
        (bob, a, by_alice, of_bob, 404),
    ] {
        let answers = [
            client.like(post).await,
            client.link(LinkKind::Bookmark, post, true).await,
            client.post("A reply", Some(post)).await,
            client.follow(other).await,
            client.connection(other, true).await,
            client.tag_member(tag, other, true).await,
            client.create_conversation(&[other], None).await,
        ];
        for answer in answers {
            assert_eq!(answer.status, expected, "{answer:?}");
            if expected == 409 {
                answer.expect_problem(409, "blocked");
            }
        }
        // Muting ignores blocks.
        client.link(LinkKind::Mute, other, true).await.expect(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_acts_can_be_undone_once_blocked() {
    let people = People::create().await;
    let [alice, bob, carol, _] = &people.clients;
    let [a, b, ..] = people.accounts;
    let by_alice = post(alice, "By Alice").await;
    bob.like(by_alice).await.expect(204);
    bookmark(bob, by_alice).await;
    alice.block(b, true).await.expect(204);
    let path = format!("/v1/posts/{by_alice}");
    // The like remains, and the list leaves it out for the blocker only.
    assert_eq!(one(alice, &path).await["like_count"], 1);
    let likes = format!("{path}/likes");
    assert!(ids(alice, &likes).await.is_empty());
    assert_eq!(one(alice, &likes).await["total"], 1);
    assert_eq!(ids(carol, &likes).await, [b]);
    assert!(ids(bob, "/v1/likes").await.is_empty());
    for _ in 0..2 {
        for kind in [LinkKind::Like, LinkKind::Bookmark] {
            bob.link(kind, by_alice, false).await.expect(204);
        }
        bob.follow(a).await.expect(404);
        bob.link(LinkKind::Follow, a, false).await.expect(204);
        bob.connection(a, false).await.expect(204);
        bob.block(a, false).await.expect(204);
    }
    assert_eq!(one(alice, &path).await["like_count"], 0);
    assert_eq!(bob.like(by_alice).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversation_of_two_is_closed() {
    let people = People::create().await;
    let [alice, bob, ..] = &people.clients;
    let [a, b, c, _] = people.accounts;
    let pair = alice.create_conversation(&[b], None).await.expect(201).id();
    let group = alice.create_conversation(&[b, c], Some("Three")).await;
    let group = group.expect(201).id();
    let message = alice.send_message(pair, "Hello").await.expect(201).id();
    bob.mark_read(pair, message).await.expect(204);
    bob.send_message(pair, "Hello back").await.expect(201);
    assert_eq!(one(alice, "/v1/conversations").await["unread_total"], 1);

    bob.block(a, true).await.expect(204);
    for client in [alice, bob] {
        let refused = client.send_message(pair, "Still there?").await;
        refused.expect_problem(409, "conversation_closed");
        assert_eq!(
            ids(client, &format!("/v1/conversations/{pair}/messages"))
                .await
                .len(),
            2
        );
        client.send_message(group, "In the group").await.expect(201);
    }
    let inbox = one(alice, "/v1/conversations").await;
    assert_eq!(inbox["total"], 2);
    assert_eq!(inbox["unread_total"], 1, "of the group");
    assert_eq!(one(alice, "/v1/counts").await["conversations"], 1);
    let shown = one(alice, &format!("/v1/conversations/{pair}")).await;
    let marks = shown["members"].as_array().expect("members").iter();
    let of_bob = marks.clone().find(|member| member["id"] == json!(b));
    assert_eq!(of_bob.expect("Bob")["read_up_to"], Value::Null);
    let again = bob.create_conversation(&[a], None).await;
    again.expect_problem(409, "blocked");

    bob.block(a, false).await.expect(204);
    alice.send_message(pair, "Again").await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_request_of_the_blocked_neither_stays_nor_notifies() {
    let people = People::create().await;
    let [alice, bob, ..] = &people.clients;
    let [_, b, ..] = people.accounts;
    bob.connection(people.accounts[0], true).await.expect(200);
    assert_eq!(one(alice, "/v1/counts").await["connection_requests"], 1);
    assert_eq!(one(alice, "/v1/counts").await["notifications"], 1);
    alice.block(b, true).await.expect(204);
    let counts = one(alice, "/v1/counts").await;
    assert_eq!(counts["connection_requests"], 0);
    assert_eq!(counts["notifications"], 0);
    assert!(
        ids(alice, "/v1/connections/requests?direction=incoming")
            .await
            .is_empty()
    );
    assert!(
        ids(bob, "/v1/connections/requests?direction=outgoing")
            .await
            .is_empty()
    );
    assert!(ids(alice, "/v1/notifications").await.is_empty());
    // It was not declined: after the block, it may be made again.
    alice.block(b, false).await.expect(204);
    bob.connection(people.accounts[0], true).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_with_the_author_of_the_root_post_hides_the_thread() {
    let people = People::create().await;
    let [alice, bob, carol, _] = &people.clients;
    let [a, b, ..] = people.accounts;
    let root = post(alice, "A post").await;
    let by_bob = reply(bob, root, "By Bob").await;
    let by_carol = reply(carol, root, "By Carol").await;
    alice.block(b, true).await.expect(204);
    // Bob still has his own reply, and nothing else of the thread.
    assert_eq!(ids(bob, &format!("/v1/users/{b}/posts")).await, [by_bob]);
    assert_eq!(status(bob, &format!("/v1/posts/{by_carol}")).await, 404);
    assert!(
        ids(bob, &format!("/v1/posts/{by_bob}/ancestors"))
            .await
            .is_empty()
    );
    assert_eq!(bob.like(by_carol).await.status, 404);
    assert_eq!(
        ids(alice, &format!("/v1/posts/{root}/replies")).await,
        [by_carol]
    );
    assert_eq!(
        ids(carol, &format!("/v1/posts/{root}/replies")).await,
        [by_bob, by_carol]
    );
    // The list is shorter, and the count is the same for all.
    assert_eq!(
        one(alice, &format!("/v1/posts/{root}")).await["reply_count"],
        2
    );
    assert_eq!(status(bob, &format!("/v1/users/{a}/posts")).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_accepts_messages_of_connections_only_gets_no_others() {
    let people = People::create().await;
    people.connect_first_with(&[1]).await;
    let [alice, bob, carol, _] = &people.clients;
    let [a, _, c, _] = people.accounts;
    let before = carol.create_conversation(&[a], None).await.expect(201);
    let settings = json!({"who_may_message": "connections"});
    alice.change_profile(settings).await.expect(200);
    // The conversation that there was stays writable.
    let again = carol.create_conversation(&[a], None).await.expect(200);
    assert_eq!(again.id(), before.id());
    carol.send_message(again.id(), "Hello").await.expect(201);
    bob.create_conversation(&[a], None).await.expect(201);
    let group = carol
        .create_conversation(&[a, people.accounts[1]], None)
        .await;
    assert_eq!(group.fields(), ["members"], "{group:?}");
    group.expect_problem(403, "messages_not_accepted");
    let other = [people.accounts[1], people.accounts[3]];
    let group = carol.create_conversation(&other, Some("Three")).await;
    let group = group.expect(201).id();
    let added = carol.set_member(group, a, true).await;
    added.expect_problem(403, "messages_not_accepted");
    bob.set_member(group, a, true).await.expect(204);
    alice.send_message(group, "Hello").await.expect(201);
    assert_eq!(
        one(alice, &format!("/v1/relationships?id={c}")).await["items"][0]["connection"],
        "none"
    );
}
