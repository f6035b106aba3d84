//! Headers with illegal values.

use feedmill_events::{Partition, Positions};
use feedmill_tests::client::{Client, assert_field, assert_problem, http};
use reqwest::Method;
use serde_json::json;

pub async fn are_checked(alice: &Client, bob: &Client) {
    let post = |name: &'static str, value: &str| {
        let request = alice
            .request(Method::POST, "/v1/posts")
            .json(&json!({"text": ""}));
        request.header(name, value)
    };
    for key in ["", " ", "a b", "é", &"k".repeat(256)] {
        let answer = alice.send(post("Idempotency-Key", key)).await;
        assert_field(
            &answer,
            "Idempotency-Key",
            &format!("Idempotency-Key: {key:?}"),
        );
    }
    let read = |name: &str, value: &str| {
        let request = http().get(format!("{}/v1/feed", alice.read));
        alice.signed(request).header(name, value)
    };
    let bobs = bob.position();
    for position in ["x", "0:1", "1", "AAAA", &bobs] {
        let answer = alice.send(read("Feedmill-Min-Position", position)).await;
        assert_field(
            &answer,
            "Feedmill-Min-Position",
            &format!("Feedmill-Min-Position: {position}"),
        );
    }
    // A preference that is not understood is ignored (RFC 7240).
    for preference in [
        "wait=soon",
        "wait=-1",
        "respond-async, wait=99999999999999999999",
        "=",
        ",",
    ] {
        alice.send(read("Prefer", preference)).await.expect(200);
    }
    let far = Positions::single(Partition::try_from(0u8).expect("a partition"), 999_999);
    let far = alice.seal(&far).expect("a position");
    let behind = read("Feedmill-Min-Position", &far).header("Prefer", "wait=0");
    let answer = alice.send(behind).await;
    assert_problem(&answer, 503, "a position that is not reached");
    assert_eq!(answer.json()["code"], "projection_behind");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}
