//! Changes of the caller's profile.

use feedmill_tests::client::Answer;
use serde_json::{Value, json};

use crate::harness::Api;

/// Handle, display name and bio.
fn profile(answer: Answer) -> [Value; 3] {
    let body = answer.expect(200).json();
    ["handle", "display_name", "bio"].map(|field| body[field].clone())
}

#[tokio::test]
async fn null_clears_what_can_be_empty_and_is_refused_elsewhere() {
    let api = Api::start().await;
    let miller = api.person("miller").await;
    let change = async |body| miller.change_profile(body).await;
    let set = change(json!({ "bio": "I grind." })).await;
    let with_bio = [json!("miller"), json!("miller"), json!("I grind.")];
    assert_eq!(profile(set), with_bio);

    for (body, fields) in [
        (json!({ "handle": null }), &["handle"][..]),
        (json!({ "display_name": null }), &["display_name"]),
        (
            json!({ "bio": null, "handle": null, "display_name": null }),
            &["handle", "display_name"],
        ),
    ] {
        let refused = change(body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.fields(), fields);
    }
    // An absent member changes nothing, and neither did the refused ones.
    assert_eq!(profile(change(json!({})).await), with_bio);
    let cleared = change(json!({ "bio": null })).await;
    assert_eq!(
        profile(cleared),
        [json!("miller"), json!("miller"), json!("")]
    );
}
