//! Times of events and ids.

use chrono::{DateTime, Utc};
use feedmill_events::id;
use uuid::Uuid;

use crate::error::ApplyError;

/// A time in an event's payload. Errors: milliseconds outside the calendar.
pub fn from_millis(millis: i64) -> Result<DateTime<Utc>, ApplyError> {
    DateTime::from_timestamp_millis(millis).ok_or(ApplyError::InvalidTime(millis))
}

/// When a post or a message was created, which its id contains.
pub fn created_at(id: Uuid) -> Result<DateTime<Utc>, ApplyError> {
    from_millis(id::millis(id))
}
