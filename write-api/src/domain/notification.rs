//! Up to where somebody has read their notifications.

use feedmill_events::{Event, event::v1::NotificationsRead, id};
use uuid::Uuid;

use super::{Decision, Rejection, State};

/// In milliseconds: how far the clock of another write-api, which gave a notification its time, may be ahead of
/// this one's.
const CLOCKS_DIFFER: i64 = 5_000;

/// `up_to` need not be a notification, only a place in time: what is before it is read. `now` is in Unix
/// milliseconds.
pub(super) fn mark_read(
    state: &State,
    user: Uuid,
    up_to: Uuid,
    now: i64,
) -> Result<Decision, Rejection> {
    if id::millis(up_to) > now + CLOCKS_DIFFER {
        return Err(Rejection::FutureMark);
    }
    let mark = state.notification_marks.get(&user).copied();
    if mark.unwrap_or_default() >= up_to {
        return Ok(Decision::nothing_to_do());
    }
    Ok(Decision::done(Event::NotificationsRead(
        NotificationsRead { user, up_to },
    )))
}
