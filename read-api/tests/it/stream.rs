//! Live updates. Without NATS, streams poll every two seconds; the end-to-end tests have announcements.

use std::time::Duration;

use feedmill_events::id;
use feedmill_tests::{
    client::{EventStream, ServerSentEvent},
    token::now,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::{
    app::{App, START},
    conversations::conversation,
};

const EVENT_TIMEOUT: Duration = Duration::from_secs(20);

impl App {
    async fn stream(&self, viewer: Uuid, last_event_id: Option<&str>) -> EventStream {
        let mut request = reqwest::Client::new()
            .get(format!("{}/v1/stream", self.address))
            .bearer_auth(self.token(viewer));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        EventStream::new(request.send().await.unwrap())
    }

    /// A post from so many milliseconds ago.
    async fn post_ago(&self, author: Uuid, millis: i64) -> Uuid {
        self.post(author, since_start() - millis, None).await
    }
}

/// An app whose feeds have entries for all posts at any time, as with a projector.
async fn start() -> App {
    let app = App::start().await;
    app.run(
        "CREATE FUNCTION fill_entries() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM feed_entries;
            INSERT INTO feed_entries (viewer, post_id, shared_with)
            SELECT s.viewer, p.id, p.shared_with FROM posts p JOIN feed_sources s ON s.author = p.author WHERE p.reply_to IS NULL
            UNION SELECT author, id, author FROM posts WHERE reply_to IS NULL;
            RETURN NULL;
        END
        $$;
        CREATE TRIGGER fill AFTER INSERT OR DELETE ON posts EXECUTE FUNCTION fill_entries();
        CREATE TRIGGER fill AFTER INSERT OR UPDATE OR DELETE ON feed_follows EXECUTE FUNCTION fill_entries();",
    )
    .await;
    app
}

/// Now, in milliseconds after the start.
fn since_start() -> i64 {
    now().timestamp_millis() - START
}

async fn next(stream: &mut EventStream) -> ServerSentEvent {
    timeout(EVENT_TIMEOUT, stream.next())
        .await
        .expect("an event in time")
        .expect("an open stream")
}

/// The next two events: an item, and the unread counts that may come before it.
async fn item_and_unread(stream: &mut EventStream) -> [ServerSentEvent; 2] {
    let mut two = [next(stream).await, next(stream).await];
    two.sort_by_key(|event| event.name == "unread");
    two
}

/// No event comes for longer than two polls take.
async fn no_event(stream: &mut EventStream) {
    let event = timeout(Duration::from_secs(5), stream.next()).await;
    assert!(event.is_err(), "{event:?}");
}

/// A stream that is resumed behind this event has nothing to send but the counts.
async fn nothing_was_missed(app: &App, viewer: Uuid, event_id: &str) {
    let mut stream = app.stream(viewer, Some(event_id)).await;
    assert_eq!(next(&mut stream).await.name, "unread");
    no_event(&mut stream).await;
}

fn counts(messages: i64, notifications: i64) -> Value {
    json!({
        "conversations": { "unread_total": messages },
        "notifications": { "unread_count": notifications },
    })
}

#[tokio::test]
async fn new_items_are_sent_as_in_their_lists() {
    let app = start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    app.post_ago(other, 500).await;
    conversation(&app, since_start() - 5_000, &[me, other], 2).await;
    app.notify(me, since_start() - 500, other, None, None).await;
    let mut stream = app.stream(me, None).await;
    let first = next(&mut stream).await;
    assert_eq!((&*first.name, first.data), ("unread", counts(0, 1)));
    assert!(stream.retry.is_some() && stream.last_event_id.is_some());

    let post = app.post_ago(other, 0).await;
    let event = next(&mut stream).await;
    let feed = app.get(me, "/v1/feed").await.body;
    assert_eq!(feed["items"][0]["id"], json!(post));
    let shown = app.get(me, &format!("/v1/posts/{post}")).await.body;
    assert_eq!((&*event.name, event.data), ("post", shown));

    let (talk, messages) = conversation(&app, since_start(), &[other, me], 1).await;
    let [event, unread] = item_and_unread(&mut stream).await;
    let path = format!("/v1/conversations/{talk}/messages");
    let mut shown = app.get(me, &path).await.body["items"][0].clone();
    shown["conversation_id"] = json!(talk);
    assert_eq!((&*event.name, event.data), ("message", shown));
    assert_eq!((&*unread.name, unread.data), ("unread", counts(1, 1)));
    assert_eq!(messages.len(), 1);

    app.notify(me, since_start(), other, None, None).await;
    let [event, unread] = item_and_unread(&mut stream).await;
    let shown = app.get(me, "/v1/notifications").await.body["items"][0].clone();
    assert_eq!((&*event.name, event.data), ("notification", shown));
    assert_eq!((&*unread.name, unread.data), ("unread", counts(1, 2)));
    no_event(&mut stream).await;
}

#[tokio::test]
async fn a_like_that_is_undone_and_made_again_is_sent_once() {
    let app = start().await;
    let (me, other, third) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    let post = app.post_ago(me, 500).await;
    let mut stream = app.stream(me, None).await;
    next(&mut stream).await;
    let like = async |actor: Uuid| app.notify(me, since_start(), actor, Some(post), None).await;
    let undo = async |id: Uuid| {
        app.run(&format!("DELETE FROM notifications WHERE id = '{id}'"))
            .await;
    };
    let first = like(other).await;
    let [event, unread] = item_and_unread(&mut stream).await;
    assert_eq!(event.id(), first.to_string());
    assert_eq!(unread.data, counts(0, 1));
    undo(first).await;
    assert_eq!(next(&mut stream).await.data, counts(0, 0));
    let again = like(other).await;
    assert_eq!(next(&mut stream).await.data, counts(0, 1));
    let list = app.get(me, "/v1/notifications").await.body;
    assert_eq!(list["items"][0]["id"], again.to_string());

    // A like by somebody else, and of another post, are others.
    let by_third = like(third).await;
    let [event, _] = item_and_unread(&mut stream).await;
    assert_eq!(event.id(), by_third.to_string());
    let another = app.post_ago(me, 400).await;
    assert_eq!(next(&mut stream).await.id(), another.to_string());
    let of_another = app
        .notify(me, since_start(), other, Some(another), None)
        .await;
    let [event, _] = item_and_unread(&mut stream).await;
    assert_eq!(event.id(), of_another.to_string());
}

#[tokio::test]
async fn a_resumed_stream_gets_missed_items_even_older_ones() {
    let app = start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    // An account of another partition, which is behind.
    let third = id::compose(START, 0, 5, None);
    app.run(&format!(
        "INSERT INTO accounts VALUES ('{third}', 'third', 'Third', '', now())"
    ))
    .await;
    app.follow(me, other, 0).await;
    app.follow(me, third, 0).await;
    let hour = 3_600_000;
    app.post_ago(other, hour).await;
    let mut stream = app.stream(me, None).await;
    next(&mut stream).await;
    let seen = app.post_ago(other, hour / 2).await;
    assert_eq!(next(&mut stream).await.id(), seen.to_string());
    let id = stream.last_event_id.clone().unwrap();
    drop(stream);

    let late = app.post_ago(third, 2 * hour).await;
    let later = app.post_ago(other, hour / 3).await;
    let mut stream = app.stream(me, Some(&id)).await;
    assert_eq!(next(&mut stream).await.name, "unread");
    assert_eq!(next(&mut stream).await.id(), late.to_string());
    assert_eq!(next(&mut stream).await.id(), later.to_string());
    no_event(&mut stream).await;
    let id = stream.last_event_id.clone().unwrap();
    drop(stream);
    nothing_was_missed(&app, me, &id).await;
}

#[tokio::test]
async fn an_edited_post_is_sent_again() {
    let app = start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    let edit = async |post: Uuid, text: &str| {
        let sql =
            format!("UPDATE posts SET text = '{text}', edited_at = now() WHERE id = '{post}'");
        app.run(&sql).await;
    };
    let before = app.post_ago(other, 3_600_000).await;
    let mut stream = app.stream(me, None).await;
    assert_eq!(next(&mut stream).await.name, "unread");
    let after = app.post_ago(other, 0).await;
    assert_eq!(next(&mut stream).await.id(), after.to_string());
    for post in [before, after, before] {
        edit(post, "Edited").await;
        let event = next(&mut stream).await;
        assert_eq!((&*event.name, event.id()), ("edited", &*post.to_string()));
        let now = app.get(me, &format!("/v1/posts/{post}")).await.body;
        assert_eq!(event.data, now);
        assert_eq!(now["text"], "Edited");
    }
    no_event(&mut stream).await;
    let id = stream.last_event_id.clone().unwrap();
    drop(stream);

    nothing_was_missed(&app, me, &id).await;
    edit(after, "Edited while the client was away").await;
    let mut stream = app.stream(me, Some(&id)).await;
    let reset = next(&mut stream).await;
    assert_eq!(reset.data, json!({ "lists": ["feed"] }), "{reset:?}");
    assert_eq!(next(&mut stream).await.name, "unread");
    no_event(&mut stream).await;
}

#[tokio::test]
async fn a_newly_followed_account_brings_a_day_of_posts() {
    let app = start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    let day = 24 * 3_600_000;
    app.post_ago(other, day + 10_000).await;
    let post = app.post_ago(other, day / 2).await;
    let mut stream = app.stream(me, None).await;
    next(&mut stream).await;
    app.follow(me, other, 0).await;
    assert_eq!(next(&mut stream).await.id(), post.to_string());
    no_event(&mut stream).await;
}

#[tokio::test]
async fn too_many_items_are_a_reset_and_the_stream_continues() {
    let app = start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    let mut stream = app.stream(me, None).await;
    next(&mut stream).await;
    app.run(&format!(
        "INSERT INTO posts (id, author, text, created_at)
         SELECT (lpad(to_hex({} + n), 12, '0') || '70008000000000000000')::uuid, '{other}', 'post', now()
         FROM generate_series(1, 1500) AS n",
        START + since_start() - 60_000
    ))
    .await;
    let mut posts = 0;
    let reset = loop {
        let event = next(&mut stream).await;
        if event.name != "post" {
            break event;
        }
        posts += 1;
    };
    assert_eq!(
        (&*reset.name, &reset.data),
        ("reset", &json!({ "lists": ["feed"] }))
    );
    assert_eq!(posts, 1_000);
    let post = app.post_ago(other, 0).await;
    assert_eq!(next(&mut stream).await.id(), post.to_string());
}

#[tokio::test]
async fn a_stream_that_cannot_open_is_a_problem() {
    let app = start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    let mut stream = app.stream(other, None).await;
    next(&mut stream).await;
    let others = stream.last_event_id.unwrap();
    for id in ["nonsense", "\u{fc}", &others, &others[1..]] {
        let reply = app
            .get_with(me, "/v1/stream", &[("last-event-id", id)])
            .await;
        assert_eq!(reply.code(), (422, "invalid_event_id"), "{id}");
        assert_eq!(reply.fields(), ["Last-Event-ID"]);
    }
    let reply = app
        .get_with(me, "/v1/stream", &[("accept", "application/json")])
        .await;
    assert_eq!(reply.code(), (406, "not_acceptable"));

    let mut open = vec![];
    for _ in 0..20 {
        open.push(app.stream(me, None).await);
    }
    let reply = app.get(me, "/v1/stream").await;
    assert_eq!(reply.code(), (429, "too_many_streams"));
    assert!(reply.headers.contains_key("retry-after"));
    for _ in 0..9 {
        open.push(app.stream(other, None).await);
    }
    let reply = app.get(other, "/v1/stream").await;
    assert_eq!(reply.code(), (503, "too_many_streams"));
    assert!(reply.headers.contains_key("retry-after"));
    open.clear();
    let freed = async {
        while app
            .send(
                Method::HEAD,
                "/v1/stream",
                &[("authorization", &format!("Bearer {}", app.token(me)))],
            )
            .await
            .status
            != 200
        {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(EVENT_TIMEOUT, freed).await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_with_the_service() {
    let app = start().await;
    let me = app.account(1).await;
    let token = app.signer.sign(me, Duration::from_secs(1), now()).unwrap();
    let request = reqwest::Client::new().get(format!("{}/v1/stream", app.address));
    let mut short = EventStream::new(request.bearer_auth(token).send().await.unwrap());
    let mut long = app.stream(me, None).await;
    for stream in [&mut short, &mut long] {
        next(stream).await;
    }
    let end = timeout(EVENT_TIMEOUT, short.next()).await.unwrap();
    assert!(end.is_none(), "{end:?}");
    app.shutdown.soft.cancel();
    let end = timeout(Duration::from_secs(2), long.next()).await.unwrap();
    assert!(end.is_none(), "{end:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let app = start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.follow(me, other, 0).await;
    let address = app.address.strip_prefix("http://").unwrap();
    let mut lazy = TcpStream::connect(address).await.unwrap();
    let token = app.token(me);
    let request =
        format!("GET /v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    lazy.write_all(request.as_bytes()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // 20 MB, more than the kernel buffers for a connection.
    app.run(&format!(
        "INSERT INTO posts (id, author, text, created_at)
         SELECT (lpad(to_hex({} + n), 12, '0') || '70008000000000000000')::uuid, '{other}',
             repeat('\u{1f409}', 5000), now()
         FROM generate_series(1, 990) AS n",
        START + since_start() - 60_000
    ))
    .await;
    let slow = async {
        loop {
            let metrics = feedmill_service::telemetry::metrics().render();
            if metrics.contains("stream_ends_total{why=\"slow\"} 1") {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(40), slow)
        .await
        .expect("disconnected");
}
