//! The clock that tokens are checked with.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in Unix seconds. A clock from before 1970 is broken: no token is valid then.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(u64::MAX, |now| now.as_secs())
}
