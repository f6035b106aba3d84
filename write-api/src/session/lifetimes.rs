//! How long sessions and their tokens are valid.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use feedmill_events::id;
use uuid::Uuid;

use crate::{config::AuthArgs, domain::clock::time};

/// How long a refresh token is valid. Each refresh starts it again.
const REFRESH_TTL: TimeDelta = TimeDelta::days(30);

/// How much longer than their lifetime the access tokens of an ended session are refused: more than the verifiers' leeway,
/// the difference between the clocks of two instances, and the time that a request waits for the database.
const END_MARGIN: TimeDelta = TimeDelta::minutes(1);

#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Of an access token.
    pub access_token: Duration,
    /// Of a session, from the sign-in, however often it is refreshed.
    pub session: Duration,
}

impl From<&AuthArgs> for Lifetimes {
    fn from(args: &AuthArgs) -> Self {
        Self {
            access_token: args.access_token_ttl,
            session: args.session_lifetime,
        }
    }
}

impl Lifetimes {
    /// When a session is over at the latest. Its id has the time of the sign-in.
    pub fn session_end(&self, session: Uuid) -> DateTime<Utc> {
        later(time(id::millis(session)), self.session)
    }

    /// When a refresh token that is issued now expires.
    pub fn refresh_end(&self, session: Uuid, now: DateTime<Utc>) -> DateTime<Utc> {
        self.session_end(session).min(now + REFRESH_TTL)
    }

    /// Until when the access tokens of a session that ends now are refused: all of them have expired then.
    pub fn refused_until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        later(now + END_MARGIN, self.access_token)
    }

    /// The access token of an answer: the one that was issued at `issued_at` or, if that has expired, one that is issued now.
    pub fn access_token(
        &self,
        session: Uuid,
        issued_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Validity {
        let session_end = self.session_end(session);
        // A token does not outlive its session.
        let from = |from: DateTime<Utc>| {
            let left = u64::try_from((session_end - from).num_seconds()).unwrap_or_default();
            let seconds = self.access_token.as_secs().min(left);
            // Negative if the clock of another instance is ahead.
            let age = u64::try_from((now - from).num_seconds()).unwrap_or_default();
            Validity {
                from,
                seconds,
                seconds_left: seconds.saturating_sub(age),
            }
        };
        let issued = from(issued_at);
        if issued.seconds_left > 0 {
            issued
        } else {
            from(now)
        }
    }
}

/// When an access token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub from: DateTime<Utc>,
    /// In all.
    pub seconds: u64,
    /// From now on.
    pub seconds_left: u64,
}

/// A setting may be longer than times can be.
fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(by)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes {
        access_token: Duration::from_mins(15),
        session: Duration::from_hours(100 * 24),
    };

    /// So many seconds after the sign-in.
    fn at(seconds: i64) -> DateTime<Utc> {
        time(1_713_000_000_000 + 1_000 * seconds)
    }

    fn session() -> Uuid {
        id::compose(at(0).timestamp_millis(), 0, 7, None)
    }

    #[test]
    fn a_repeated_answer_says_how_long_its_token_is_still_valid() {
        let after = |seconds| LIFETIMES.access_token(session(), at(0), at(seconds));
        let validity = |from, seconds_left| Validity {
            from: at(from),
            seconds: 900,
            seconds_left,
        };
        for (age, seconds_left) in [(-1, 900), (0, 900), (1, 899), (899, 1)] {
            assert_eq!(after(age), validity(0, seconds_left));
        }
        for age in [900, 901, 100_000] {
            assert_eq!(after(age), validity(age, 900));
        }
    }

    #[test]
    fn no_token_outlives_its_session() {
        let day = 24 * 3_600;
        let refresh_end = |days| LIFETIMES.refresh_end(session(), at(days * day));
        assert_eq!(refresh_end(0), at(30 * day));
        assert_eq!(refresh_end(69), at(99 * day));
        assert_eq!(refresh_end(71), at(100 * day));
        let last = at(100 * day - 60);
        let token = LIFETIMES.access_token(session(), last, last);
        assert_eq!((token.seconds, token.seconds_left), (60, 60));
        let over = LIFETIMES.access_token(session(), at(200 * day), at(200 * day));
        assert_eq!((over.seconds, over.seconds_left), (0, 0));
    }

    #[test]
    fn a_setting_that_is_too_long_has_no_end() {
        let forever = Lifetimes {
            session: Duration::MAX,
            ..LIFETIMES
        };
        assert_eq!(forever.session_end(session()), DateTime::<Utc>::MAX_UTC);
    }
}
