//! Imported records with one time, as reads show them: in the order of their lines, whoever wrote them.

use std::time::Duration;

use feedmill_tests::{
    client::Client,
    import::{Names, import_lines},
    kit::{Stack, StackConfig},
    log,
};
use serde_json::Value;

/// Sources often have whole seconds.
const AT: &str = "2004-01-16T14:56:01Z";

fn records() -> Vec<String> {
    let mut lines: Vec<String> = (0..4)
        .map(|n| format!(r#""type":"account","id":"u{n}","handle":"u{n}","display_name":"U{n}""#))
        .collect();
    for record_type in ["follow", "unfollow", "follow"] {
        lines.extend((1..4).map(|n| format!(r#""type":"{record_type}","from":"u0","to":"u{n}""#)));
    }
    lines.push(r#""type":"conversation","id":"c","members":["u0","u1"]"#.to_owned());
    lines.push(r#""type":"post","id":"root","author":"u0","text":"root""#.to_owned());
    for n in 0..10 {
        let author = n % 3 + 1;
        lines.push(format!(
            r#""type":"post","id":"p{n}","author":"u{author}","text":"{n}""#
        ));
        lines.push(format!(
            r#""type":"post","id":"r{n}","author":"u{author}","text":"{n}","reply_to":"root""#
        ));
        lines.push(format!(
            r#""type":"message","id":"m{n}","conversation":"c","sender":"u1","text":"{n}""#
        ));
    }
    lines.push(r#""type":"read","conversation":"c","user":"u0","up_to":"m6""#.to_owned());
    for record_type in ["like", "unlike", "like"] {
        lines.push(format!(
            r#""type":"{record_type}","user":"u2","post":"root""#
        ));
    }
    lines
        .into_iter()
        .map(|fields| format!(r#"{{{fields},"at":"{AT}"}}"#))
        .collect()
}

/// The texts of a list, read in pages of three.
async fn texts(client: &Client, path: &str) -> String {
    let items = client.pages(path, 3).await.expect("the pages").items;
    let texts: Vec<&str> = items
        .iter()
        .map(|item| item["text"].as_str().unwrap_or_default())
        .collect();
    texts.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_one_time_are_read_in_the_order_of_their_lines() {
    let stack = Stack::start(StackConfig::with_default_limits()).await;
    let newest_first = "9 8 7 6 5 4 3 2 1 0";
    let oldest_first = "0 1 2 3 4 5 6 7 8 9";
    // The second run changes nothing.
    for _ in 0..2 {
        import_lines(&stack, records()).await;
        log::wait_until_projected(&stack.pool, Duration::from_mins(1))
            .await
            .expect("everything projected");
        let names = Names::read(&stack.pool).await.expect("the names");
        let id = |kind: &str, name: &str| names.id(kind, name).expect("a name of the file");
        let client = stack.client_of(id("account", "u0"));

        let messages = format!("/v1/conversations/{}/messages", id("conversation", "c"));
        assert_eq!(texts(&client, &messages).await, newest_first);
        let feed = texts(&client, "/v1/feed").await;
        assert_eq!(feed, format!("{newest_first} root"));
        let root = id("post", "root");
        let replies = texts(&client, &format!("/v1/posts/{root}/replies")).await;
        assert_eq!(replies, oldest_first);
        let own = texts(&client, "/v1/users/@u1/posts").await;
        assert_eq!(own, "9 9 6 6 3 3 0 0");

        let inbox = client.get("/v1/conversations").await.expect(200).json();
        assert_eq!(inbox["unread_total"], 3, "{inbox}");
        let conversation = &inbox["items"][0];
        assert_eq!(conversation["unread_count"], 3, "{inbox}");
        assert_eq!(conversation["last_message"]["text"], "9", "{inbox}");
        assert_eq!(conversation["message_count"], 10, "{inbox}");

        let post = client.get(&format!("/v1/posts/{root}")).await.expect(200);
        assert_eq!(post.json()["like_count"], 1, "{post:?}");
        let me: Value = client.get("/v1/me").await.expect(200).json();
        assert_eq!(me["following_count"], 3, "{me}");
    }
}
