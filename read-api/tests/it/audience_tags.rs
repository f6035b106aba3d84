use feedmill_events::Tag;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::{App, ids},
    nats::Announcer,
};

/// A tag of the owner with these members.
pub async fn tag(app: &App, n: u128, owner: Uuid, members: &[Uuid]) -> Uuid {
    let tag = Uuid::from_u128(n);
    let count = members.len();
    app.run(&format!(
        "INSERT INTO tags VALUES ('{tag}', '{owner}', 'tag {n}', {count})"
    ))
    .await;
    for (at, member) in members.iter().enumerate() {
        app.run(&format!(
            "INSERT INTO tag_members VALUES ('{tag}', '{member}', to_timestamp({}))",
            at / 2
        ))
        .await;
    }
    tag
}

#[tokio::test]
async fn tags_are_listed_for_their_owner_only() {
    let app = App::start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    let mut tags = Vec::new();
    for n in 1..=7 {
        tags.push(tag(&app, n, me, &[other]).await);
    }
    tag(&app, 100, other, &[me]).await;
    for limit in [1, 3, 7, 8] {
        assert_eq!(ids(&app.all(me, "/v1/tags", limit).await), tags);
        let of_other = format!("/v1/users/{other}/tags");
        assert_eq!(ids(&app.all(me, &of_other, limit).await), tags);
        assert_eq!(
            ids(&app.all(me, "/v1/users/@user2/tags", limit).await),
            tags
        );
    }
    let expected = json!({"id": tags[0], "name": "tag 1", "members_count": 1});
    let path = format!("/v1/tags/{}", tags[0]);
    assert_eq!(app.get(me, &path).await.body, expected);

    let unknown = format!("/v1/tags/{}", Uuid::from_u128(999));
    for end in ["", "/members"] {
        let mut hidden = app.get(other, &format!("{path}{end}")).await;
        assert_eq!(hidden.code(), (404, "not_found"));
        let mut unknown = app.get(other, &format!("{unknown}{end}")).await;
        for reply in [&mut hidden, &mut unknown] {
            reply.body["instance"] = Value::Null;
        }
        assert_eq!(hidden.body, unknown.body);
    }
    // A member is not told of the tag.
    let own = app.get(other, &format!("/v1/users/{other}/tags")).await;
    assert_eq!(own.body["items"], json!([]));
}

#[tokio::test]
async fn members_are_latest_first() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let me = app.account(1).await;
    let mut members = Vec::new();
    for n in 2..=8 {
        members.push(app.account(n).await);
    }
    let tag = tag(&app, 1, me, &members).await;
    // Two of each second: the greater id first.
    let mut expected: Vec<_> = members.iter().enumerate().collect();
    expected.sort_by_key(|(at, id)| std::cmp::Reverse((at / 2, **id)));
    let expected: Vec<Uuid> = expected.into_iter().map(|(_, id)| *id).collect();
    let path = format!("/v1/tags/{tag}/members");
    for limit in [1, 2, 6, 7, 8] {
        assert_eq!(ids(&app.all(me, &path, limit).await), expected);
    }
    let first = app.get(me, &format!("{path}?limit=1")).await;
    assert_eq!(first.body["total"], 7);
    assert_eq!(
        first.body["items"][0]["added_at"],
        "1970-01-01T00:00:03.000Z"
    );
    for path in [path, format!("/v1/tags/{tag}"), "/v1/tags".to_owned()] {
        app.get(me, &path).await;
        assert!(app.hits(me, &path).await, "{path}");
        let changed = [Tag::audience_tags(me)];
        announcer.announce_and_wait(&app, "feed", &changed).await;
        assert!(!app.hits(me, &path).await, "{path}");
    }
}
