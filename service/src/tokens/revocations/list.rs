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

#[derive(Debug, Serialize, Deserialize)]
struct List<T> {
    ended_sessions: T,
}

/// As JSON.
pub fn encode(sessions: &[EndedSession]) -> Vec<u8> {
    let list = List {
        ended_sessions: sessions,
    };
    // Ids and numbers only: this cannot fail.
    serde_json::to_vec(&list).unwrap_or_default()
}

/// Errors: not such a list.
pub fn decode(bytes: &[u8]) -> serde_json::Result<Vec<EndedSession>> {
    let list: List<_> = serde_json::from_slice(bytes)?;
    Ok(list.ended_sessions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_as_it_was_written() {
        let list = [EndedSession {
            session: Uuid::from_u128(1),
            until: 1_713_000_000,
        }];
        let json = r#"{"ended_sessions":[{"id":"00000000-0000-0000-0000-000000000001","until":1713000000}]}"#;
        assert_eq!(encode(&list), json.as_bytes());
        assert_eq!(decode(json.as_bytes()).unwrap(), list);
        assert!(decode(b"[]").is_err());
    }
}
