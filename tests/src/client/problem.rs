//! Assertions about problem documents (RFC 9457).

use serde_json::json;

use super::http::Answer;

/// Panics unless the answer is a complete problem document with this status.
#[track_caller]
pub fn assert_problem(answer: &Answer, status: u16, context: &str) {
    assert_eq!(answer.status.as_u16(), status, "{context}: {answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{context}: {answer:?}"
    );
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{context}: {answer:?}");
    for member in ["type", "title", "detail", "code"] {
        let filled = problem[member]
            .as_str()
            .is_some_and(|text| !text.is_empty());
        assert!(filled, "{context}: no {member} in {answer:?}");
    }
}

/// Panics unless the answer is 422 and names this field.
#[track_caller]
pub fn assert_field(answer: &Answer, field: &str, context: &str) {
    assert_problem(answer, 422, context);
    let problem = answer.json();
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let named = errors.iter().any(|error| {
        let message = error["message"].as_str();
        error["field"] == json!(field) && message.is_some_and(|message| !message.is_empty())
    });
    assert!(named, "{context}: {field} is not named in {}", answer.body);
}
