use feedmill_events::id;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{App, START, ids, time};

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
    }
    sent.reverse();
    (conversation, sent)
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
                    "message_count": 0, "unread_count": 0, "last_message": null,
                },
                {
                    "id": talk, "title": null, "members": [card_a, card_b], "message_count": 2, "unread_count": 2,
                    "last_message": {
                        "id": sent[0], "sender_id": b, "text": "message 1",
                        "created_at": "2024-04-13T09:20:01.001Z",
                    },
                },
            ],
            "next_cursor": null,
            "unread_total": 2,
        })
    );
}

#[tokio::test]
async fn every_page_of_an_inbox_has_the_unread_total() {
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
        json!({ "items": [], "next_cursor": null, "unread_total": unread })
    );
}

#[tokio::test]
async fn an_empty_inbox_has_a_total() {
    let app = App::start().await;
    let inbox = app.get(app.account(1).await, "/v1/conversations").await;
    assert_eq!(
        inbox.body,
        json!({ "items": [], "next_cursor": null, "unread_total": 0 })
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
    assert_eq!(empty.body, json!({ "items": [], "next_cursor": null }));

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
