use feedmill_events::{Tag, id};
use feedmill_tests::kit::wait_until;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::{App, START, ids, time},
    nats::Announcer,
};

/// A conversation of `members`, created at `at`, with one message per second by the first member. Returns its id and the
/// messages, newest first.
pub async fn conversation(
    app: &App,
    at: i64,
    members: &[Uuid],
    messages: i64,
) -> (Uuid, Vec<Uuid>) {
    let conversation = id::compose(START + at, 0, rand::random(), None);
    let mut sent = Vec::new();
    for n in 0..messages {
        let message = id::compose(START + at + n * 1_000 + 1, 0, rand::random(), None);
        sqlx::query("INSERT INTO messages VALUES ($1, $2, $3, $4, $5)")
            .bind(conversation)
            .bind(message)
            .bind(members[0])
            .bind(format!("message {n}"))
            .bind(time(id::millis(message)))
            .execute(&app.pool)
            .await
            .unwrap();
        sent.push(message);
    }
    sqlx::query("INSERT INTO conversations VALUES ($1, $2, $3, $4)")
        .bind(conversation)
        .bind((members.len() > 2).then(|| format!("of {}", members.len())))
        .bind(messages)
        .bind(sent.last())
        .execute(&app.pool)
        .await
        .unwrap();
    for member in members {
        sqlx::query("INSERT INTO members VALUES ($1, $2, $3, NULL, $4)")
            .bind(member)
            .bind(conversation)
            .bind(sent.last().unwrap_or(&conversation))
            .bind(if *member == members[0] { 0 } else { messages })
            .execute(&app.pool)
            .await
            .unwrap();
        app.run(&format!(
            "INSERT INTO conversation_counts AS c VALUES ('{member}', 1)
             ON CONFLICT (user_id) DO UPDATE SET conversations = c.conversations + 1"
        ))
        .await;
    }
    sent.reverse();
    (conversation, sent)
}

async fn mute(app: &App, member: Uuid, conversation: Uuid) {
    app.run(&format!(
        "UPDATE members SET muted = true
         WHERE user_id = '{member}' AND conversation = '{conversation}'"
    ))
    .await;
}

async fn mark_read(app: &App, member: Uuid, conversation: Uuid, message: Uuid) {
    app.run(&format!(
        "UPDATE members SET read_up_to = '{message}'
         WHERE user_id = '{member}' AND conversation = '{conversation}'"
    ))
    .await;
}

#[tokio::test]
async fn an_inbox_has_the_shape_of_the_contract() {
    let app = App::start().await;
    let (a, b) = (app.account(1).await, app.account(2).await);
    let unknown = crate::app::account_id(3);
    let (talk, sent) = conversation(&app, 0, &[b, a], 2).await;
    let (silent, _) = conversation(&app, 60_000, &[a, b, unknown], 0).await;
    let inbox = app.get(a, "/v1/conversations").await;
    let (card_a, card_b) = (
        json!({ "id": a, "handle": "user1", "display_name": "User 1" }),
        json!({ "id": b, "handle": "user2", "display_name": "User 2" }),
    );
    assert_eq!(
        inbox.body,
        json!({
            "items": [
                {
                    "id": silent, "title": "of 3",
                    "members": [card_a, card_b, { "id": unknown, "handle": "", "display_name": "" }],
                    "message_count": 0, "unread_count": 0, "muted": false, "last_message": null,
                },
                {
                    "id": talk, "title": null, "members": [card_a, card_b], "message_count": 2, "unread_count": 2, "muted": false,
                    "last_message": {
                        "id": sent[0], "sender_id": b, "text": "message 1",
                        "created_at": "2024-04-13T09:20:01.001Z",
                    },
                },
            ],
            "next_cursor": null, "prev_cursor": inbox.body["prev_cursor"],
            "total": 2, "unread_total": 2,
        })
    );
}

#[tokio::test]
async fn every_page_of_an_inbox_has_the_totals() {
    let app = App::start().await;
    let (me, other, third) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    let mut expected = Vec::new();
    for n in 0..23 {
        let members = if n % 2 == 0 {
            vec![other, me]
        } else {
            vec![me, other, third]
        };
        expected.push(conversation(&app, n * 100_000, &members, n % 4).await.0);
    }
    conversation(&app, 1, &[other, third], 1).await;
    expected.reverse();
    for limit in [1, 5, 22, 23, 24] {
        assert_eq!(
            ids(&app.all(me, "/v1/conversations", limit).await),
            expected
        );
    }
    let unread: i64 = (0..23).filter(|n| n % 2 == 0).map(|n| n % 4).sum();
    let mut path = "/v1/conversations?limit=9".to_owned();
    loop {
        let page = app.get(me, &path).await;
        assert_eq!(page.body["unread_total"], unread);
        assert_eq!(page.body["total"], 23);
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/conversations?limit=9&cursor={cursor}");
    }
    // A page past the end: its conversations have moved to the first page.
    app.run(&format!(
        "UPDATE members SET activity = '{}' WHERE user_id = '{me}'",
        Uuid::max()
    ))
    .await;
    let empty = app.get(me, &path).await;
    assert_eq!(
        empty.body,
        json!({
            "items": [], "next_cursor": null, "prev_cursor": empty.body["prev_cursor"],
            "total": 23, "unread_total": unread,
        })
    );
}

#[tokio::test]
async fn muted_conversations_do_not_count_as_unread() {
    let app = App::start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    conversation(&app, 0, &[other, me], 2).await;
    let (muted, _) = conversation(&app, 60_000, &[other, me], 3).await;
    assert_eq!(
        app.get(me, "/v1/conversations").await.body["unread_total"],
        5
    );
    mute(&app, me, muted).await;
    let inbox = app.get(me, "/v1/conversations").await.body;
    assert_eq!(inbox["unread_total"], 2);
    let listed = |n: usize| {
        (
            &inbox["items"][n]["muted"],
            &inbox["items"][n]["unread_count"],
        )
    };
    assert_eq!(listed(0), (&json!(true), &json!(3)));
    assert_eq!(listed(1), (&json!(false), &json!(2)));
    let path = format!("/v1/conversations/{muted}");
    assert_eq!(app.get(me, &path).await.body["muted"], true);
    assert_eq!(app.get(other, &path).await.body["muted"], false);
}

#[tokio::test]
async fn a_later_member_sees_later_messages() {
    let app = App::start().await;
    let (a, b, later) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    let (talk, sent) = conversation(&app, 0, &[a, b, later], 5).await;
    // Added after the third message.
    let since = sent[2];
    app.run(&format!(
        "UPDATE members SET since = '{since}', hidden_count = 3, unread_count = 2
         WHERE user_id = '{later}'"
    ))
    .await;
    let path = format!("/v1/conversations/{talk}");
    let messages = format!("{path}/messages");
    for limit in [1, 2, 3] {
        assert_eq!(ids(&app.all(later, &messages, limit).await), sent[..2]);
        assert_eq!(ids(&app.all(b, &messages, limit).await), sent);
    }
    for (index, message) in sent.iter().enumerate() {
        let status = if index < 2 { 200 } else { 404 };
        let path = format!("{messages}/{message}");
        assert_eq!(app.get(later, &path).await.status, status);
    }
    let one = app.get(later, &path).await.body;
    assert_eq!(one["message_count"], 2);
    assert_eq!(one["last_message"]["id"], json!(sent[0]));
    let inbox = app.get(later, "/v1/conversations").await.body;
    assert_eq!(inbox["items"][0]["message_count"], 2);

    // Added after all of them.
    let since = sent[0];
    app.run(&format!(
        "UPDATE members SET since = '{since}', hidden_count = 5, unread_count = 0
         WHERE user_id = '{later}'"
    ))
    .await;
    let one = app.get(later, &path).await.body;
    assert_eq!(
        (&one["message_count"], &one["last_message"]),
        (&json!(0), &Value::Null)
    );
    let empty = app.get(later, &messages).await;
    assert_eq!(
        (empty.status.as_u16(), &empty.body["items"]),
        (200, &json!([]))
    );
}

#[tokio::test]
async fn an_empty_inbox_has_a_total() {
    let app = App::start().await;
    let inbox = app.get(app.account(1).await, "/v1/conversations").await;
    assert_eq!(
        inbox.body,
        json!({
            "items": [], "next_cursor": null, "prev_cursor": null, "total": 0, "unread_total": 0,
        })
    );
}

#[tokio::test]
async fn messages_are_newest_first_and_only_for_members() {
    let app = App::start().await;
    let (a, b, stranger) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    let (talk, sent) = conversation(&app, 0, &[a, b], 12).await;
    let path = format!("/v1/conversations/{talk}/messages");
    for limit in [1, 5, 11, 12, 13] {
        assert_eq!(ids(&app.all(b, &path, limit).await), sent);
    }
    assert_eq!(
        app.get(a, &format!("{path}?limit=1")).await.body["items"],
        json!([{ "id": sent[0], "sender_id": a, "text": "message 11", "created_at": "2024-04-13T09:20:11.001Z" }])
    );
    let (silent, _) = conversation(&app, 0, &[a, b], 0).await;
    let empty = app
        .get(a, &format!("/v1/conversations/{silent}/messages"))
        .await;
    assert_eq!(
        empty.body,
        json!({ "items": [], "next_cursor": null, "prev_cursor": null })
    );

    let hidden = app.get(stranger, &path).await;
    let absent = app
        .get(
            stranger,
            &format!("/v1/conversations/{}/messages", Uuid::from_u128(5)),
        )
        .await;
    assert_eq!(hidden.code(), (404, "not_found"));
    assert_eq!(hidden.body, absent.body, "indistinguishable");
    assert_ne!(hidden.body["detail"], Value::Null);
}

#[tokio::test]
async fn a_conversation_has_the_read_marks_of_its_members() {
    let app = App::start().await;
    let (a, b) = (app.account(1).await, app.account(2).await);
    let unknown = crate::app::account_id(3);
    let (talk, sent) = conversation(&app, 0, &[b, a, unknown], 3).await;
    mark_read(&app, a, talk, sent[1]).await;
    let member = |id: Uuid, n: i64, mark: Option<Uuid>| json!({ "id": id, "handle": format!("user{n}"), "display_name": format!("User {n}"), "read_up_to": mark });
    let expected = |unread: i64| {
        json!({
            "id": talk, "title": "of 3",
            "members": [
                member(a, 1, Some(sent[1])),
                member(b, 2, None),
                { "id": unknown, "handle": "", "display_name": "", "read_up_to": null },
            ],
            "message_count": 3, "unread_count": unread, "muted": false,
            "last_message": {
                "id": sent[0], "sender_id": b, "text": "message 2", "created_at": "2024-04-13T09:20:02.001Z",
            },
        })
    };
    let path = format!("/v1/conversations/{talk}");
    assert_eq!(app.get(a, &path).await.body, expected(3));
    assert_eq!(app.get(b, &path).await.body, expected(0));

    let (silent, _) = conversation(&app, 60_000, &[a, b], 0).await;
    let empty = app.get(a, &format!("/v1/conversations/{silent}")).await;
    assert_eq!(
        empty.body,
        json!({
            "id": silent, "title": null, "members": [member(a, 1, None), member(b, 2, None)],
            "message_count": 0, "unread_count": 0, "muted": false, "last_message": null,
        })
    );
}

#[tokio::test]
async fn a_conversation_and_its_messages_exist_for_members_only() {
    let app = App::start().await;
    let (a, b, stranger) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    let (talk, sent) = conversation(&app, 0, &[a, b], 2).await;
    let (other, others) = conversation(&app, 0, &[b, stranger], 1).await;
    let message = async |viewer: Uuid, conversation: Uuid, id: Uuid| {
        let path = format!("/v1/conversations/{conversation}/messages/{id}");
        app.get(viewer, &path).await
    };
    let list = app
        .get(b, &format!("/v1/conversations/{talk}/messages"))
        .await;
    for (index, id) in sent.iter().enumerate() {
        assert_eq!(
            message(a, talk, *id).await.body,
            list.body["items"][index],
            "as in the list"
        );
    }
    let nowhere = Uuid::from_u128(5);
    let unknown = message(stranger, nowhere, sent[0]).await;
    assert_eq!(unknown.code(), (404, "not_found"));
    for hidden in [
        message(stranger, talk, sent[0]).await,
        message(stranger, other, sent[0]).await,
        message(a, talk, others[0]).await,
        message(a, other, others[0]).await,
    ] {
        assert_eq!(hidden.status, 404);
        assert_eq!(hidden.body, unknown.body, "indistinguishable");
    }
    let one =
        async |viewer: Uuid, id: Uuid| app.get(viewer, &format!("/v1/conversations/{id}")).await;
    let (hidden, absent) = (one(stranger, talk).await, one(stranger, nowhere).await);
    assert_eq!(hidden.code(), (404, "not_found"));
    assert_eq!(hidden.body, absent.body, "indistinguishable");
}

#[tokio::test]
async fn a_conversation_is_cached_until_it_changes_for_any_member() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    let (talk, sent) = conversation(&app, 0, &[me, other], 1).await;
    let (path, message) = (
        format!("/v1/conversations/{talk}"),
        format!("/v1/conversations/{talk}/messages/{}", sent[0]),
    );
    let is_cached = async |path: &str| app.hits(me, path).await;
    assert!(!is_cached(&path).await && is_cached(&path).await);
    announcer
        .announce_and_wait(&app, "conversations", &[Tag::conversations(other)])
        .await;
    assert!(is_cached(&path).await);
    for (projection, tag) in [
        ("conversations", Tag::messages(talk)),
        ("conversations", Tag::read_marks(talk)),
        ("conversations", Tag::conversation(talk)),
        ("conversations", Tag::muted_conversations(me)),
        ("profiles", Tag::account_summary(other)),
    ] {
        announcer.announce(projection, &[tag]).await;
        wait_until("a miss", async || !is_cached(&path).await).await;
        assert!(is_cached(&path).await);
    }
    assert!(!is_cached(&message).await && is_cached(&message).await);
    // Who leaves no longer has them.
    let messages = format!("{path}/messages");
    assert!(!is_cached(&messages).await && is_cached(&messages).await);
    let tags = [Tag::conversation(talk)];
    announcer.announce("conversations", &tags).await;
    for path in [&messages, &message] {
        wait_until("a miss", async || !is_cached(path).await).await;
    }
}
