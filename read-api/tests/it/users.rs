use feedmill_events::Tag;
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::{App, account_id, ids},
    nats::Announcer,
};

#[tokio::test]
async fn a_profile_is_found_by_id_handle_and_token() {
    let app = App::start().await;
    let (me, other) = (app.account(1).await, app.account(2).await);
    app.run(&format!(
        "INSERT INTO account_counts VALUES ('{me}', 5, 6); INSERT INTO post_counts VALUES ('{me}', 7)"
    ))
    .await;
    let expected = json!({
        "id": me, "handle": "user1", "display_name": "User 1", "bio": "about me",
        "created_at": "2024-04-13T09:03:20.001Z", "followers_count": 5, "following_count": 6,
        "connections_count": 0, "posts_count": 7,
    });
    let paths = [
        format!("/v1/users/{me}"),
        "/v1/users/@user1".to_owned(),
        "/v1/users/@USER1".to_owned(),
    ];
    for path in paths {
        assert_eq!(app.get(other, &path).await.body, expected, "{path}");
    }
    let mut own = expected;
    own["default_audience"] = json!("public");
    own["who_may_message"] = json!("everyone");
    assert_eq!(app.get(me, "/v1/me").await.body, own);
    app.run(&format!(
        "INSERT INTO account_settings VALUES ('{me}', 3, 1)"
    ))
    .await;
    own["default_audience"] = json!("me");
    own["who_may_message"] = json!("connections");
    assert_eq!(app.get(me, "/v1/me").await.body, own);
    let other = app.get(other, "/v1/me").await;
    assert_eq!(
        other.body["followers_count"], 0,
        "no counts are projected yet"
    );
    assert_eq!(
        app.get(account_id(3), "/v1/me").await.code(),
        (404, "not_found")
    );
}

#[tokio::test]
async fn posts_of_a_user_include_replies_newest_first() {
    let app = App::start().await;
    let (author, other) = (app.account(1).await, app.account(2).await);
    assert_eq!(
        app.get(other, "/v1/users/@user1/posts").await.body,
        json!({ "items": [], "next_cursor": null, "prev_cursor": null })
    );
    let root = app.post(other, 0, None).await;
    let mut posts = Vec::new();
    for n in 1..=30 {
        posts.push(app.post(author, n, (n % 3 == 0).then_some(root)).await);
    }
    posts.reverse();
    for limit in [1, 7, 29, 30, 31] {
        assert_eq!(
            ids(&app.all(other, "/v1/users/@user1/posts", limit).await),
            posts
        );
        assert_eq!(
            ids(&app
                .all(other, &format!("/v1/users/{author}/posts"), limit)
                .await),
            posts
        );
    }
}

#[tokio::test]
async fn followers_and_following_are_latest_first() {
    let app = App::start().await;
    let star = app.account(1).await;
    assert_eq!(
        app.get(star, "/v1/users/@user1/followers").await.body,
        json!({ "items": [], "next_cursor": null, "prev_cursor": null, "total": 0 })
    );
    assert_eq!(
        app.get(star, "/v1/users/@user1/following").await.body,
        json!({ "items": [], "next_cursor": null, "prev_cursor": null, "total": 0 })
    );
    let mut people = Vec::new();
    for n in 2..=26 {
        let person = app.account(n).await;
        // Within one moment the greater id is first.
        let at = i64::try_from(n / 4).unwrap();
        app.follow(person, star, at).await;
        app.follow(star, person, at).await;
        people.push((at, person));
    }
    people.sort();
    people.reverse();
    let expected: Vec<_> = people.iter().map(|(_, person)| *person).collect();
    for limit in [1, 3, 24, 25, 26] {
        assert_eq!(
            ids(&app.all(star, "/v1/users/@user1/followers", limit).await),
            expected
        );
        assert_eq!(
            ids(&app
                .all(star, &format!("/v1/users/{star}/following"), limit)
                .await),
            expected
        );
    }
    let first = app.get(star, "/v1/users/@user1/followers?limit=1").await;
    assert_eq!(first.body["total"], 25);
    assert_eq!(
        first.body["items"],
        json!([{
            "id": expected[0], "handle": "user26", "display_name": "User 26",
            "followed_at": "2024-04-13T09:20:00.006Z",
        }])
    );
}

#[tokio::test]
async fn a_cursor_stays_with_its_account_when_the_handle_passes_on() {
    let app = App::start().await;
    let announcer = Announcer::of(&app).await;
    let (me, first, second) = (
        app.account(1).await,
        app.account(2).await,
        app.account(3).await,
    );
    for n in 4..=9 {
        let other = app.account(n).await;
        let (owner, at) = if n % 2 == 0 { (first, 1) } else { (second, 2) };
        app.follow(other, owner, at).await;
        app.follow(owner, other, at).await;
        app.post(owner, i64::try_from(n).unwrap(), None).await;
    }
    for list in ["posts", "followers", "following"] {
        let path = format!("/v1/users/@user2/{list}");
        let of_first = ids(&app.all(me, &format!("/v1/users/{first}/{list}"), 1).await);
        let of_second = ids(&app.all(me, &format!("/v1/users/{second}/{list}"), 1).await);
        assert_eq!((of_first.len(), of_second.len()), (3, 3));
        let page = app.get(me, &format!("{path}?limit=1")).await;
        let cursor = page.body["next_cursor"].as_str().unwrap().to_owned();
        let next = format!("{path}?limit=1&cursor={cursor}");
        assert!(!app.hits(me, &next).await, "the second page is cached now");

        pass_on(&app, "user2", first, second).await;
        let renamed = [
            Tag::account_summary(first),
            Tag::account_summary(second),
            Tag::handle("user2"),
        ];
        announcer
            .announce_and_wait(&app, "profiles", &renamed)
            .await;
        let mut walk = ids(page.body["items"].as_array().unwrap());
        let mut next = Some(next);
        while let Some(path_of_page) = next {
            let page = app.get(me, &path_of_page).await;
            walk.extend(ids(page.body["items"].as_array().unwrap()));
            let cursor = page.body["next_cursor"].as_str();
            next = cursor.map(|cursor| format!("{path}?limit=1&cursor={cursor}"));
        }
        assert_eq!(walk, of_first, "{list}");
        assert_eq!(ids(&app.all(me, &path, 1).await), of_second, "{list}");
        pass_on(&app, "user2", second, first).await;
        announcer
            .announce_and_wait(&app, "profiles", &renamed)
            .await;
    }
}

/// Gives the handle of one account to another.
async fn pass_on(app: &App, handle: &str, from: Uuid, to: Uuid) {
    app.run(&format!(
        "UPDATE accounts SET handle = 'gone' WHERE id = '{from}';
         UPDATE accounts SET handle = '{handle}' WHERE id = '{to}'"
    ))
    .await;
}
