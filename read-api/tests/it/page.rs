use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{App, ids};

/// A viewer with two pages of the feed.
async fn viewer(app: &App) -> Uuid {
    let me = app.account(1).await;
    let posts = [app.post(me, 0, None).await, app.post(me, 1, None).await];
    app.entries(me, &posts).await;
    me
}

async fn cursor(app: &App, viewer: Uuid, path: &str) -> String {
    let page = app.get(viewer, &format!("{path}?limit=1")).await;
    page.body["next_cursor"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_altered_cursor_is_rejected() {
    let app = App::start().await;
    let me = viewer(&app).await;
    let cursor = cursor(&app, me, "/v1/feed").await;
    let mut altered: Vec<String> = vec!["x".to_owned(), "!".to_owned(), "A".repeat(5_000)];
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
    let me = viewer(&app).await;
    assert_eq!(
        cursor(&app, me, "/v1/feed").await,
        cursor(&app, me, "/v1/feed").await
    );
}

#[tokio::test]
async fn a_handle_names_the_same_list_in_any_case() {
    let app = App::start().await;
    let me = viewer(&app).await;
    let cursor = cursor(&app, me, "/v1/users/@user1/posts").await;
    let path = format!("/v1/users/@USER1/posts?cursor={cursor}");
    assert_eq!(app.get(me, &path).await.status, 200);
}

#[tokio::test]
async fn an_empty_cursor_is_the_first_page_and_unknown_parameters_are_ignored() {
    let app = App::start().await;
    let me = viewer(&app).await;
    for (path, same) in [
        ("/v1/feed?limit=1&cursor=", "/v1/feed?limit=1"),
        ("/v1/feed?limit=1&cursor", "/v1/feed?limit=1"),
        ("/v1/feed?limit=1&colour=red", "/v1/feed?limit=1"),
        ("/v1/feed?colour=red&colour=%FF&limit=1", "/v1/feed?limit=1"),
        ("/v1/feed?Limit=5&limit=1", "/v1/feed?limit=1"),
        (
            "/v1/users/@user1/posts?cursor=&page=2",
            "/v1/users/@user1/posts",
        ),
        ("/v1/digest?_=1713", "/v1/digest"),
        ("/v1/me?limit=0&limit=x", "/v1/me"),
        ("/v1/users/@user1?cursor=x", "/v1/users/@user1"),
    ] {
        let (reply, plain) = (app.get(me, path).await, app.get(me, same).await);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        assert_eq!(reply.body, plain.body, "{path}");
        assert_eq!(reply.headers["etag"], plain.headers["etag"], "{path}");
    }
}

#[tokio::test]
async fn a_repeated_parameter_is_rejected() {
    let app = App::start().await;
    let me = app.account(1).await;
    for (path, field) in [
        ("/v1/feed?limit=5&limit=6", "limit"),
        ("/v1/feed?cursor=&cursor=", "cursor"),
        ("/v1/digest?date=2024-01-01&date=2024-01-02", "date"),
    ] {
        let reply = app.get(me, path).await;
        assert_eq!(reply.code(), (422, "invalid_request"), "{path}");
        assert_eq!(reply.fields(), [field], "{path}");
    }
}

#[tokio::test]
async fn a_cursor_back_leads_to_what_is_newer() {
    let app = App::start().await;
    let me = viewer(&app).await;
    let page = async |cursor: &str| {
        let path = format!("/v1/users/{me}/posts?limit=2&cursor={cursor}");
        app.get(me, &path).await.body
    };
    let cursor = |page: &Value, name: &str| page[name].as_str().unwrap().to_owned();
    let known = page("").await;
    let back = cursor(&known, "prev_cursor");
    let nothing = page(&back).await;
    assert_eq!(
        nothing,
        json!({ "items": [], "next_cursor": null, "prev_cursor": back }),
        "ask again later"
    );
    let mut newer = Vec::new();
    for at in 10..13 {
        newer.push(app.post(me, at, None).await);
    }
    let nearest = page(&back).await;
    let items = |page: &Value| ids(page["items"].as_array().unwrap());
    assert_eq!(items(&nearest), [newer[1], newer[0]]);
    let rest = page(&cursor(&nearest, "prev_cursor")).await;
    assert_eq!(items(&rest), [newer[2]]);
    let again = page(&cursor(&nearest, "next_cursor")).await;
    assert_eq!(again["items"], known["items"], "where they were");
}
