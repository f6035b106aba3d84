//! Texts over HTTP: line ends are normalized, and what shows nothing or disturbs its surroundings is refused.

use feedmill_tests::client::assert_field;
use reqwest::Method;
use serde_json::json;

use crate::harness::Api;

#[tokio::test]
async fn carriage_returns_become_line_feeds_and_tabs_stay() {
    let api = Api::start().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    let sent = "one\r\n\ttwo\rthree\n";
    let stored = "one\n\ttwo\nthree";
    let post = miller.post(sent, None).await.expect(201);
    assert_eq!(post.json()["text"], stored);
    let profile = miller.change_profile(json!({ "bio": sent })).await;
    assert_eq!(profile.expect(200).json()["bio"], stored);
    let conversation = miller.create_conversation(&[baker.id], None).await;
    let conversation = conversation.expect(201).id();
    let message = miller.send_message(conversation, sent).await.expect(201);
    assert_eq!(message.json()["text"], stored);
}

#[tokio::test]
async fn what_shows_nothing_is_refused_by_its_field() {
    let api = Api::start().await;
    let (miller, baker) = (api.person("miller").await, api.person("baker").await);
    for bad in [
        "\u{200b}",
        "\u{3164}",
        "\u{2800}\u{2060}",
        "\u{202e}\u{202c}",
    ] {
        assert_field(&miller.post(bad, None).await, "text", bad);
        for field in ["bio", "display_name"] {
            let refused = miller.change_profile(json!({ field: bad })).await;
            assert_field(&refused, field, bad);
        }
        let refused = miller.create_conversation(&[baker.id], Some(bad)).await;
        assert_field(&refused, "title", bad);
        let account =
            json!({ "handle": "x_x", "display_name": bad, "password": "stone and water" });
        let client = api.client();
        let refused = client.command(Method::POST, "/v1/accounts", Some(account));
        assert_field(&refused.await, "display_name", bad);
    }
    for bad in ["a\u{202e}b", "a\u{2069}b", "a\u{2028}b", "a\nb", "a\tb"] {
        let refused = miller.change_profile(json!({ "display_name": bad })).await;
        assert_field(&refused, "display_name", bad);
    }
}
