use feedmill_events::Tag;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::{App, account_id, ids},
    nats::Announcer,
};

/// `a` and `b` are connected since `at` milliseconds after the start.
async fn connect(app: &App, a: Uuid, b: Uuid, at: i64) {
    for (account, other) in [(a, b), (b, a)] {
        app.run(&format!(
            "INSERT INTO connections VALUES ('{account}', '{other}', to_timestamp({at}));
             INSERT INTO account_counts (account, followers, following, connections)
             VALUES ('{account}', 0, 0, 1)
             ON CONFLICT (account) DO UPDATE SET connections = account_counts.connections + 1"
        ))
        .await;
    }
}

async fn request(app: &App, from: Uuid, to: Uuid, at: i64) {
    app.run(&format!(
        "INSERT INTO connection_requests VALUES ('{to}', '{from}', to_timestamp({at}));
         INSERT INTO account_counts (account, followers, following, requests_received)
         VALUES ('{to}', 0, 0, 1)
         ON CONFLICT (account) DO UPDATE SET requests_received = account_counts.requests_received + 1;
         INSERT INTO account_counts (account, followers, following, requests_sent)
         VALUES ('{from}', 0, 0, 1)
         ON CONFLICT (account) DO UPDATE SET requests_sent = account_counts.requests_sent + 1"
    ))
    .await;
}

#[tokio::test]
async fn connections_are_latest_first_for_their_account_and_its_connections() {
    let app = App::start().await;
    let (me, friend, stranger) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    let mut others = vec![(0, friend)];
    connect(&app, me, friend, 0).await;
    for n in 4..=15 {
        let other = app.account(n).await;
        // Within one moment the greater id is first.
        let at = i64::try_from(n / 4).unwrap();
        connect(&app, me, other, at).await;
        others.push((at, other));
    }
    others.sort_unstable();
    others.reverse();
    let expected: Vec<_> = others.iter().map(|(_, other)| *other).collect();
    for viewer in [me, friend] {
        for path in [
            format!("/v1/users/{me}/connections"),
            "/v1/users/@user1/connections".to_owned(),
        ] {
            for limit in [1, 12, 13, 14] {
                assert_eq!(ids(&app.all(viewer, &path, limit).await), expected);
            }
        }
    }
    let first = app.get(me, "/v1/users/@user1/connections?limit=1").await;
    assert_eq!(first.body["total"], 13);
    assert_eq!(
        first.body["items"],
        json!([{
            "id": expected[0], "handle": "user15", "display_name": "User 15",
            "connected_at": "1970-01-01T00:00:03.000Z",
        }])
    );
    // To everybody else they are like those of an account that does not exist.
    let unknown = format!("/v1/users/{}/connections", account_id(99));
    let mut unknown = app.get(stranger, &unknown).await.body;
    let mut hidden = app
        .get(stranger, &format!("/v1/users/{me}/connections"))
        .await;
    for body in [&mut unknown, &mut hidden.body] {
        body["instance"] = Value::Null;
    }
    assert_eq!(hidden.code(), (404, "not_found"));
    assert_eq!(hidden.body, unknown);
}

#[tokio::test]
async fn connections_are_hidden_when_the_connection_ends() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (me, friend) = (app.account(1).await, app.account(2).await);
    connect(&app, me, friend, 0).await;
    let path = format!("/v1/users/{me}/connections");
    assert!(!app.hits(friend, &path).await);
    assert!(app.hits(friend, &path).await);
    app.run("DELETE FROM connections").await;
    let tags = [Tag::connections(me), Tag::connections(friend)];
    announcer.announce_and_wait(&app, "profiles", &tags).await;
    assert_eq!(app.get(friend, &path).await.status, 404);
    let own = app.get(me, &path).await;
    assert_eq!(own.body["items"], json!([]));
}

#[tokio::test]
async fn requests_are_listed_by_direction() {
    let app = App::start().await;
    let me = app.account(1).await;
    let (mut incoming, mut outgoing) = (Vec::new(), Vec::new());
    for n in 2..=9 {
        let other = app.account(n).await;
        let at = i64::try_from(n).unwrap();
        if n % 2 == 0 {
            request(&app, other, me, at).await;
            incoming.insert(0, other);
        } else {
            request(&app, me, other, at).await;
            outgoing.insert(0, other);
        }
    }
    for (direction, expected) in [("incoming", incoming), ("outgoing", outgoing)] {
        let path = format!("/v1/connections/requests?direction={direction}");
        let first = app.get(me, &format!("{path}&limit=1")).await;
        assert_eq!(first.body["total"], 4, "{direction}");
        assert_eq!(ids(first.body["items"].as_array().unwrap()), expected[..1]);
        let next = first.body["next_cursor"].as_str().unwrap();
        let rest = app.get(me, &format!("{path}&limit=3&cursor={next}")).await;
        assert_eq!(ids(rest.body["items"].as_array().unwrap()), expected[1..]);
        assert_eq!(rest.body["next_cursor"], Value::Null);
        let link = rest.headers["link"].to_str().unwrap();
        assert!(
            link.contains(&format!("<{path}&limit=3>; rel=\"first\"")),
            "{link}"
        );
    }
}

#[tokio::test]
async fn relationships_are_in_the_order_of_the_request() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let me = app.account(1).await;
    let [follower, followed, connected, asked, asking, nobody] = [
        app.account(2).await,
        app.account(3).await,
        app.account(4).await,
        app.account(5).await,
        app.account(6).await,
        account_id(99),
    ];
    app.follow(follower, me, 0).await;
    app.follow(me, followed, 0).await;
    app.run(&format!(
        "INSERT INTO mutes VALUES ('{followed}', '{me}', now())"
    ))
    .await;
    connect(&app, me, connected, 0).await;
    request(&app, me, asked, 0).await;
    request(&app, asking, me, 0).await;
    let all = [asking, asked, connected, nobody, followed, follower, asked];
    let query: Vec<String> = all.iter().map(|id| format!("id={id}")).collect();
    let path = format!("/v1/relationships?{}", query.join("&"));
    let relationship = |id: Uuid, following: bool, followed_by: bool, connection: &str| {
        json!({
            "id": id, "following": following, "followed_by": followed_by, "connection": connection,
            "blocking": false, "muting": id == followed,
        })
    };
    let expected = json!({"items": [
        relationship(asking, false, false, "incoming"),
        relationship(asked, false, false, "outgoing"),
        relationship(connected, false, false, "connected"),
        relationship(followed, true, false, "none"),
        relationship(follower, false, true, "none"),
    ]});
    assert_eq!(app.get(me, &path).await.body, expected);
    assert!(app.hits(me, &path).await);
    for tag in [
        Tag::followers(me),
        Tag::following(me),
        Tag::connections(me),
        Tag::requests_received(me),
        Tag::requests_sent(me),
        Tag::mutes(me),
        Tag::account_summary(nobody),
    ] {
        announcer.announce_and_wait(&app, "profiles", &[tag]).await;
        assert!(!app.hits(me, &path).await, "depends on {tag:?}");
    }
    let none = app.get(me, "/v1/relationships").await;
    assert_eq!(none.body, json!({"items": []}));
}
