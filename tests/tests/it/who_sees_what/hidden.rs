//! What is hidden is not counted, not notified about, and answers as what never was.

use feedmill_events::event::v1::Audience;
use feedmill_tests::{
    client::{Answer, Client},
    link::LinkKind,
};
use reqwest::header::HeaderValue;
use serde_json::Value;
use uuid::Uuid;

use super::{People, ids, one, post, post_to, reply, tag_with};

#[tokio::test(flavor = "multi_thread")]
async fn unread_counts_never_count_what_is_hidden() {
    let people = People::create().await;
    let [alice, bob, ..] = &people.clients;
    bob.follow(people.accounts[0]).await.expect(204);
    let shown = post(alice, "For all").await;
    post_to(alice, &Audience::Connections, "For connections").await;
    post_to(alice, &Audience::Me, "Note to self").await;
    let unread = async |expected: u64| {
        assert_eq!(one(bob, "/v1/feed").await["unread_count"], expected);
        assert_eq!(one(bob, "/v1/counts").await["feed"], expected);
    };
    unread(1).await;
    people.connect_first_with(&[1]).await;
    unread(2).await;
    let changed = alice.change_audience(shown, &Audience::Me).await;
    changed.expect(204);
    unread(1).await;
    alice
        .connection(people.accounts[1], false)
        .await
        .expect(204);
    unread(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn muted_people_are_in_neither_feed_nor_digest_nor_counts() {
    let people = People::create().await;
    let [alice, bob, ..] = &people.clients;
    let a = people.accounts[0];
    bob.follow(a).await.expect(204);
    post(alice, "Loud").await;
    let shown = async |posts: u64| {
        let (feed, digest) = (one(bob, "/v1/feed").await, one(bob, "/v1/digest").await);
        let count = |items: &Value| items.as_array().map(|items| items.len() as u64);
        assert_eq!(count(&feed["items"]), Some(posts));
        assert_eq!(feed["unread_count"], posts);
        assert_eq!(count(&digest["top_posts"]), Some(posts));
        assert_eq!(digest["counters"]["posts"], posts);
        assert_eq!(one(bob, "/v1/counts").await["feed"], posts);
    };
    shown(1).await;
    bob.link(LinkKind::Mute, a, true).await.expect(204);
    shown(0).await;
    post(alice, "Louder").await;
    shown(0).await;
    bob.link(LinkKind::Mute, a, false).await.expect(204);
    shown(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_about_what_one_may_no_longer_see_are_gone() {
    let people = People::create().await;
    people.connect_first_with(&[1, 2]).await;
    let [alice, bob, carol, _] = &people.clients;
    let [_, b, ..] = people.accounts;
    let root = post_to(alice, &Audience::Connections, "For connections").await;
    let by_bob = reply(bob, root, "By Bob").await;
    let of_carol = reply(carol, by_bob, "By Carol").await;
    let own = post(bob, "Bob's own").await;
    carol.like(own).await.expect(204);
    let of_kind = async |kind: &str| {
        let all = one(bob, "/v1/notifications").await;
        let all = all["items"].as_array().cloned().expect("items");
        all.iter().filter(|item| item["type"] == kind).count()
    };
    assert_eq!((of_kind("reply").await, of_kind("like").await), (1, 1));
    let before = one(bob, "/v1/counts").await["notifications"].clone();

    alice.connection(b, false).await.expect(204);
    assert_eq!((of_kind("reply").await, of_kind("like").await), (0, 1));
    let after = one(bob, "/v1/counts").await["notifications"].clone();
    // The one about the connection has gone with it.
    assert_eq!(before.as_u64(), after.as_u64().map(|count| count + 2));
    let page = one(bob, "/v1/notifications").await;
    assert_eq!(page["unread_count"], after);
    assert_eq!(page["total"], after);

    carol.block(b, true).await.expect(204);
    assert_eq!(of_kind("like").await, 0);
    assert!(ids(bob, "/v1/notifications").await.is_empty());
    assert_eq!(one(bob, "/v1/counts").await["notifications"], 0);
    assert_eq!(
        one(alice, &format!("/v1/posts/{of_carol}")).await["text"],
        "By Carol"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_post_answers_as_one_that_never_was() {
    let people = People::create().await;
    people.connect_first_with(&[1]).await;
    let [alice, bob, carol, dave] = &people.clients;
    let [_, b, c, _] = people.accounts;
    let tag = tag_with(alice, "family", b).await;
    let mut hidden = Vec::new();
    for audience in [
        Audience::Connections,
        Audience::Tags(vec![tag]),
        Audience::Me,
    ] {
        hidden.push(post_to(alice, &audience, "Not for Carol").await);
    }
    hidden.push(reply(bob, hidden[0], "Not for Carol either").await);
    hidden.push(post(dave, "By Dave").await);
    dave.block(c, true).await.expect(204);
    for post in hidden {
        // Twice: an answer from the cache is the same.
        for _ in 0..2 {
            let found = answers(carol, post).await;
            let unknown = answers(carol, unknown_like(post)).await;
            for (found, unknown) in found.into_iter().zip(unknown) {
                assert_eq!(comparable(&found), comparable(&unknown));
            }
        }
    }
}

/// An id that nothing has, with the same partition and time as this one.
fn unknown_like(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ 0xff00)
}

/// To everything that can be asked about a post.
async fn answers(client: &Client, post: Uuid) -> Vec<Answer> {
    let mut answers = Vec::new();
    for of in ["", "/replies", "/ancestors", "/likes"] {
        answers.push(client.get(&format!("/v1/posts/{post}{of}")).await);
    }
    for kind in [LinkKind::Like, LinkKind::Bookmark] {
        answers.push(client.link(kind, post, true).await);
        answers.push(client.link(kind, post, false).await);
    }
    answers.push(client.post("A reply", Some(post)).await);
    answers.push(client.edit_post(post, "Changed").await);
    answers.push(client.change_audience(post, &Audience::Public).await);
    answers.push(client.delete_post(post).await);
    answers
}

/// Status, headers and body, without the time of the answer, and with a position that is sealed anew each time.
fn comparable(answer: &Answer) -> (u16, String, String) {
    let mut headers = answer.headers.clone();
    headers.remove("date");
    if let Some(position) = headers.get_mut("feedmill-position") {
        *position = HeaderValue::from_static("sealed");
    }
    let mut headers: Vec<_> = headers.iter().map(|header| format!("{header:?}")).collect();
    headers.sort_unstable();
    let body = answer.body.clone();
    (answer.status.as_u16(), headers.join("\n"), body)
}
