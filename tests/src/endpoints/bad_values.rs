//! Values that fields must not have, by the kind of field.

use serde_json::{Value, json};

pub fn text() -> Vec<Value> {
    vec![
        json!(null),
        json!(1),
        json!(["a"]),
        json!({}),
        json!(""),
        json!(" \t\n "),
        json!("é".repeat(5_001)),
        json!("a\u{0}b"),
        json!("a\u{7}b"),
        json!("a\u{85}b"),
        json!("\u{200b}"),
        json!("\u{3164}\r\n\u{2800}"),
    ]
}

/// A name that must be there.
pub fn display_name() -> Vec<Value> {
    [name(), vec![json!(null)]].concat()
}

/// A display name or a title.
pub fn name() -> Vec<Value> {
    vec![
        json!(1),
        json!(""),
        json!("  "),
        json!("x".repeat(101)),
        json!("two\nlines"),
        json!("two\u{2028}lines"),
        json!("a\ttab"),
        json!("\u{3164}"),
        json!("open\u{202e}override"),
        json!("closed\u{2069}isolate"),
    ]
}

pub fn bio() -> Vec<Value> {
    vec![
        json!(1),
        json!("x".repeat(501)),
        json!("\u{1}"),
        json!("\u{200b}"),
    ]
}

pub fn handle() -> Vec<Value> {
    vec![
        json!(null),
        json!(7),
        json!(""),
        json!("a"),
        json!("a".repeat(31)),
        json!("no spaces"),
        json!("ümlaut"),
        json!("dash-ed"),
        json!("@alice"),
        json!("a\u{0}b"),
        json!("Admin"),
    ]
}

/// The handle of a sign-in. A legal handle that nobody has is 401, not 422.
pub fn sign_in_handle() -> Vec<Value> {
    vec![json!(1), json!("no handle")]
}

pub fn password() -> Vec<Value> {
    vec![
        json!(null),
        json!(12_345_678),
        json!("short"),
        json!("x".repeat(201)),
        json!("PassWord1"),
        json!("stone\nwater"),
    ]
}

/// A password that may be the right one: almost any text may be one.
pub fn sign_in_password() -> Vec<Value> {
    vec![json!(1), json!(null), json!(""), json!("x".repeat(1_025))]
}

pub fn token() -> Vec<Value> {
    vec![json!(null), json!(1)]
}

pub fn optional_token() -> Vec<Value> {
    vec![json!(1), json!([])]
}

pub fn optional_id() -> Vec<Value> {
    vec![json!(1), json!(""), json!("no-id"), json!({"id": 1})]
}

pub fn id() -> Vec<Value> {
    [optional_id(), vec![json!(null)]].concat()
}

/// An id whose time must not be in the future.
pub fn past_id() -> Vec<Value> {
    let future = json!(uuid::Uuid::max());
    [id(), vec![future]].concat()
}

pub fn members() -> Vec<Value> {
    let too_many: Vec<_> = (0..101).map(uuid::Uuid::from_u128).collect();
    vec![json!("bob"), json!([]), json!(too_many)]
}

/// Null is as good as none.
pub fn optional_audience() -> Vec<Value> {
    vec![
        json!(1),
        json!(""),
        json!("friends"),
        // What others are told of an audience.
        json!("limited"),
        json!(["public"]),
    ]
}

pub fn audience() -> Vec<Value> {
    [optional_audience(), vec![json!(null)]].concat()
}

/// Beside no audience, or another one than `tags`, any tags are wrong.
pub fn tags() -> Vec<Value> {
    vec![
        json!("family"),
        json!(1),
        json!([]),
        json!([uuid::Uuid::nil()]),
    ]
}

/// No default audience has tags.
pub fn default_audience() -> Vec<Value> {
    [audience(), vec![json!("tags")]].concat()
}

pub fn who_may_message() -> Vec<Value> {
    vec![json!(null), json!(1), json!(""), json!("nobody"), json!([])]
}
