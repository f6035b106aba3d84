//! Ended sessions on the wire: the list that write-api serves, and its messages on core NATS.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The path at which write-api serves the list, for operators: clients need not know how many sessions end.
pub const PATH: &str = "/ended-sessions";

/// A session whose access tokens are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSession {
    /// The claim `sid` of its access tokens.
    #[serde(rename = "id")]
    pub session: Uuid,
    /// When all of them have expired, in Unix seconds.
    pub until: u64,
}

/// What is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    #[serde(rename = "ended_sessions")]
    pub sessions: Vec<EndedSession>,
    /// All sessions that began before this time have ended, in Unix milliseconds: when the log's present incarnation began. 0 if
    /// PostgreSQL was never restored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub all_before: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(millis: &u64) -> bool {
    *millis == 0
}

/// As JSON.
pub fn encode(ended: &Ended) -> Vec<u8> {
    // Ids and numbers only: this cannot fail.
    serde_json::to_vec(ended).unwrap_or_default()
}

/// Errors: not such a list.
pub fn decode(bytes: &[u8]) -> serde_json::Result<Ended> {
    serde_json::from_slice(bytes)
}

impl From<Vec<EndedSession>> for Ended {
    fn from(sessions: Vec<EndedSession>) -> Self {
        Self {
            sessions,
            all_before: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_as_it_was_written() {
        let mut list = Ended::from(vec![EndedSession {
            session: Uuid::from_u128(1),
            until: 1_713_000_000,
        }]);
        let json = r#"{"ended_sessions":[{"id":"00000000-0000-0000-0000-000000000001","until":1713000000}]}"#;
        assert_eq!(encode(&list), json.as_bytes());
        assert_eq!(decode(json.as_bytes()).unwrap(), list);
        assert!(decode(b"[]").is_err());
        list.all_before = 1_712_999_999_000;
        assert_eq!(decode(&encode(&list)).unwrap(), list);
    }
}
