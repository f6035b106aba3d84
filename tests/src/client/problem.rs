//! Assertions about problem documents (RFC 9457).

use super::http::Answer;

impl Answer {
    /// The answer itself; panics unless it is a complete problem document with this status and code.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "it is an assertion")]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_problem(&self, status, code);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{self:?}");
        let problem_type = format!("urn:feedmill:problem:{code}");
        assert_eq!(problem["type"], problem_type, "{self:?}");
        self
    }

    /// The fields that a problem document names, in its order.
    pub fn fields(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"].as_array().into_iter().flatten();
        let fields = errors.filter_map(|error| error["field"].as_str());
        fields.map(str::to_owned).collect()
    }
}

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

/// Panics unless the answer is 422 and names this field and no other.
#[track_caller]
pub fn assert_field(answer: &Answer, field: &str, context: &str) {
    assert_problem(answer, 422, context);
    assert_eq!(answer.fields(), [field], "{context}: {}", answer.body);
    let problem = answer.json();
    let message = problem["errors"][0]["message"].as_str();
    let filled = message.is_some_and(|message| !message.is_empty());
    assert!(filled, "{context}: no message in {}", answer.body);
}
