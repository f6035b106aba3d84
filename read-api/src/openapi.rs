//! What all reads have in common, for the API description.

use feedmill_service::{
    openapi::{Operation, Rules, header, request_header},
    problem::codes,
};
use serde_json::{Value, json};

use crate::error;

const EVENTS: &str = "text/event-stream";

pub(crate) fn rules() -> Rules {
    Rules {
        codes: error::ALL,
        components: components(),
        problem_headers: &[(error::PROJECTION_BEHIND, &["Preference-Applied"])],
        complete,
    }
}

fn complete(operation: &mut Operation<'_>) {
    // The gate.
    operation.parameter("MinPosition");
    operation.parameter("Wait");
    operation.may_fail_with(&[codes::INVALID_REQUEST, error::PROJECTION_BEHIND]);
    if operation.has_content(EVENTS) {
        operation.parameter("LastEventId");
        operation.success_headers(&["Cache-Control", "Preference-Applied"]);
        return;
    }
    operation.parameter("IfNoneMatch");
    let of_answer = [
        "Cache-Control",
        "ETag",
        "Preference-Applied",
        "Vary",
        "X-Cache",
    ];
    operation.success_headers(&of_answer);
    operation.success_headers(&["Content-Encoding"]);
    let unchanged = "Not Modified\n\nThe client has the answer: its `ETag` is in `If-None-Match`.";
    operation.respond("304", unchanged, &of_answer);
    if operation.has_query("cursor") {
        operation.may_fail_with(&[error::INVALID_CURSOR]);
        operation.headers_of("200", &["Link"]);
    }
}

fn components() -> Value {
    let text = json!({"type": "string"});
    let positions = json!({"type": "string", "pattern": "^[A-Za-z0-9_-]+(, *[A-Za-z0-9_-]+)*$"});
    json!({
        "parameters": {
            "MinPosition": request_header(
                "Feedmill-Min-Position",
                "Positions of the account's commands (`Feedmill-Position`), joined with commas. The read waits until it includes \
                 these commands; if that takes too long, it is 503 `projection_behind`. Anything else is 422.",
                &positions,
                "Q3RKGARgrFGWd9m5xcitogP2yI1DticMwUnxucSsw7_C",
            ),
            "Wait": request_header(
                "Prefer",
                "`wait=` and how many seconds to wait for `Feedmill-Min-Position`: by default 1, at most 10 (RFC 7240).",
                &text,
                "wait=5",
            ),
            "IfNoneMatch": request_header(
                "If-None-Match",
                "The `ETag` of an answer that the client has. If it is unchanged, the answer is 304 without a body.",
                &text,
                "\"n4bQgYhMfWWaL-qgxVrQFg\"",
            ),
            "LastEventId": request_header(
                "Last-Event-ID",
                "The last `id` that arrived, also that of a heartbeat. The stream begins with what was missed.",
                &text,
                "AX0pQz9",
            ),
        },
        "headers": {
            "Content-Encoding": header("`br` or `gzip`, for a body above 1 KiB, if the client accepts it.", "br"),
            "ETag": header("A strong validator, of one content coding. For `If-None-Match`.", "\"n4bQgYhMfWWaL-qgxVrQFg\""),
            "Link": header("The `first` page, the `next` one, and the `prev` one if something is known to precede the page (RFC 8288).", "</v1/feed?limit=20>; rel=\"first\""),
            "Preference-Applied": header("With `Feedmill-Min-Position`: the `wait` that was applied.", "wait=5"),
            "Vary": header("The request headers that the answer depends on.", "Accept-Encoding, Authorization"),
            "X-Cache": header("Whether the answer came from memory: `hit` or `miss`.", "hit"),
        },
    })
}
