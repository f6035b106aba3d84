use uuid::Uuid;

use crate::app::App;

/// A viewer with a second page of every list, and another one with the same feed.
async fn world(app: &App) -> (Uuid, Uuid) {
    let (me, other) = (app.account(1).await, app.account(2).await);
    let mut posts = Vec::new();
    for n in 0..3 {
        posts.push(app.post(me, n, None).await);
        let follower = app.account(10 + u64::try_from(n).unwrap()).await;
        app.follow(follower, me, n).await;
        app.follow(me, follower, n).await;
    }
    app.entries(me, &posts).await;
    app.entries(other, &posts).await;
    (me, other)
}

async fn cursor(app: &App, viewer: Uuid, path: &str) -> String {
    let page = app.get(viewer, &format!("{path}?limit=1")).await;
    page.body["next_cursor"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_cursor_is_valid_for_one_list_and_one_viewer() {
    let app = App::start().await;
    let (me, other) = world(&app).await;
    let by_id = format!("/v1/users/{me}/posts");
    let lists = [
        "/v1/feed",
        &by_id,
        "/v1/users/@user1/posts",
        "/v1/users/@user1/followers",
        "/v1/users/@user1/following",
    ];
    for from in lists {
        let cursor = cursor(&app, me, from).await;
        for list in lists {
            let expected = if list == from { 200 } else { 422 };
            let reply = app.get(me, &format!("{list}?cursor={cursor}")).await;
            assert_eq!(
                reply.status.as_u16(),
                expected,
                "a cursor of {from} at {list}"
            );
        }
        let stolen = app.get(other, &format!("{from}?cursor={cursor}")).await;
        assert_eq!(
            (stolen.code(), stolen.fields()),
            ((422, "invalid_cursor"), vec!["cursor"])
        );
    }
    let upper = app
        .get(
            me,
            &format!(
                "/v1/users/@USER1/posts?cursor={}",
                cursor(&app, me, lists[2]).await
            ),
        )
        .await;
    assert_eq!(upper.status, 200, "the same list");
}

#[tokio::test]
async fn an_altered_cursor_is_rejected() {
    let app = App::start().await;
    let (me, _) = world(&app).await;
    let cursor = cursor(&app, me, "/v1/feed").await;
    let mut altered: Vec<String> = vec![
        String::new(),
        "x".to_owned(),
        "!".to_owned(),
        "A".repeat(5_000),
    ];
    altered.push(cursor[..cursor.len() - 4].to_owned());
    for place in (0..cursor.len() - 1).step_by(5) {
        let mut bytes = cursor.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        altered.push(String::from_utf8(bytes).unwrap());
    }
    for altered in altered {
        let reply = app.get(me, &format!("/v1/feed?cursor={altered}")).await;
        assert_eq!(
            (reply.code(), reply.fields()),
            ((422, "invalid_cursor"), vec!["cursor"]),
            "{altered}"
        );
    }
}

#[tokio::test]
async fn equal_pages_have_equal_cursors() {
    let app = App::start().await;
    let (me, _) = world(&app).await;
    assert_eq!(
        cursor(&app, me, "/v1/feed").await,
        cursor(&app, me, "/v1/feed").await
    );
}

#[tokio::test]
async fn invalid_and_unknown_parameters_are_rejected() {
    let app = App::start().await;
    let (me, _) = world(&app).await;
    let post = app.post(me, 9, None).await;
    let (post, replies) = (
        format!("/v1/posts/{post}"),
        format!("/v1/posts/{post}/replies"),
    );
    for list in [
        "/v1/feed",
        "/v1/conversations",
        "/v1/notifications",
        &replies,
        "/v1/users/@user1/posts",
        "/v1/users/@user1/followers",
    ] {
        for limit in [
            "0",
            "101",
            "1000",
            "-1",
            "",
            "ten",
            "1.5",
            "99999999999999999999",
        ] {
            let reply = app.get(me, &format!("{list}?limit={limit}")).await;
            assert_eq!(
                (reply.code(), reply.fields()),
                ((422, "invalid_request"), vec!["limit"]),
                "{list} {limit}"
            );
        }
        let reply = app.get(me, &format!("{list}?limit=5&page=2")).await;
        assert_eq!(
            (reply.code(), reply.fields()),
            ((422, "invalid_request"), vec!["page"]),
            "{list}"
        );
        let reply = app.get(me, &format!("{list}?limit=5&limit=6")).await;
        assert_eq!(
            (reply.code(), reply.fields()),
            ((422, "invalid_request"), vec!["limit"]),
            "{list}"
        );
    }
    for path in ["/v1/me", "/v1/users/@user1", &post] {
        let reply = app.get(me, &format!("{path}?verbose=1")).await;
        assert_eq!(
            (reply.code(), reply.fields()),
            ((422, "invalid_request"), vec!["verbose"]),
            "{path}"
        );
    }
}
