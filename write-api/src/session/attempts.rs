//! Limits on wrong passwords, against guessing.
//!
//! A stranger is limited by handle and address together, so that nobody keeps the owner of a handle from signing in elsewhere,
//! and by address, so that nobody tries a few passwords with very many handles. A device that has signed in to the account
//! before has a limit of its own, whatever others do at its address.

use std::time::Duration;

use feedmill_service::client_address::ClientAddress;
use uuid::Uuid;

use super::error::SessionError;
use crate::{
    domain::Handle,
    rate_limit::{Rate, RateLimiter, Taken},
};

/// Wrong passwords of one guesser for one account.
const PER_ACCOUNT: Rate = Rate {
    count: 10,
    period: Duration::from_mins(10),
};

/// Wrong passwords from one address for all handles. Many people may share an address.
const PER_ADDRESS: Rate = Rate {
    count: 100,
    period: Duration::from_mins(10),
};

/// Who tries a password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Guesser {
    /// To sign in to the account with this handle, which may not exist.
    Stranger(Handle, ClientAddress),
    /// To sign in from a device that opened this session before.
    Device(Uuid),
    /// The holder of an access token of this session or, if the token has none, of this account, to change the password.
    Holder(Uuid),
}

pub struct Attempts {
    by_guesser: RateLimiter<Guesser>,
    by_address: RateLimiter<ClientAddress>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            by_guesser: RateLimiter::new(PER_ACCOUNT),
            by_address: RateLimiter::new(PER_ADDRESS),
        }
    }
}

impl Attempts {
    /// Counts an attempt before it is made, so that concurrent attempts are limited too.
    pub fn begin(&self, guesser: Guesser, now_millis: i64) -> Result<Attempt, SessionError> {
        let exceeded = |exceeded: crate::rate_limit::Exceeded| {
            SessionError::TooManyAttempts(exceeded.retry_after)
        };
        let by_address = match guesser {
            Guesser::Stranger(_, address) => Some(
                self.by_address
                    .take(address, now_millis)
                    .map_err(exceeded)?,
            ),
            Guesser::Device(_) | Guesser::Holder(_) => None,
        };
        let by_guesser = self
            .by_guesser
            .take(guesser, now_millis)
            .map_err(exceeded)?;
        Ok(Attempt {
            by_guesser,
            by_address,
        })
    }
}

/// An attempt. Only a wrong password counts: not one that was right, nor one that was not checked.
#[must_use]
pub struct Attempt {
    by_guesser: Taken,
    by_address: Option<Taken>,
}

impl Attempt {
    pub fn was_wrong(self, now_millis: i64) {
        self.by_guesser.keep(now_millis);
        if let Some(by_address) = self.by_address {
            by_address.keep(now_millis);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn stranger(handle: &str, address: u8) -> Guesser {
        let handle = Handle::try_from(handle.to_owned()).unwrap();
        Guesser::Stranger(handle, IpAddr::from([192, 0, 2, address]).into())
    }

    /// Wrong passwords until the limit.
    fn guess(attempts: &Attempts, guesser: &Guesser) -> u32 {
        let mut count = 0;
        while let Ok(attempt) = attempts.begin(guesser.clone(), NOW) {
            attempt.was_wrong(NOW);
            count += 1;
        }
        count
    }

    #[test]
    fn a_guesser_is_limited_and_nobody_else() {
        let attempts = Attempts::default();
        assert_eq!(guess(&attempts, &stranger("miller", 1)), 10);
        assert!(attempts.begin(stranger("miller", 2), NOW).is_ok());
        assert!(attempts.begin(stranger("baker", 1), NOW).is_ok());
        let device = Guesser::Device(Uuid::from_u128(1));
        assert_eq!(guess(&attempts, &device), 10);
        assert!(
            attempts
                .begin(Guesser::Device(Uuid::from_u128(2)), NOW)
                .is_ok()
        );
        assert!(attempts.begin(stranger("miller", 1), NOW + 60_000).is_ok());
    }

    #[test]
    fn an_address_that_tries_many_handles_is_limited() {
        let attempts = Attempts::default();
        let all: u32 = (0..50)
            .map(|n| guess(&attempts, &stranger(&format!("user{n}"), 1)))
            .sum();
        assert_eq!(all, 100);
        assert!(attempts.begin(stranger("new", 1), NOW).is_err());
        assert!(attempts.begin(stranger("new", 2), NOW).is_ok());
        assert!(
            attempts
                .begin(Guesser::Device(Uuid::from_u128(1)), NOW)
                .is_ok()
        );
    }

    #[test]
    fn an_attempt_that_was_not_wrong_does_not_count() {
        let attempts = Attempts::default();
        for _ in 0..200 {
            drop(attempts.begin(stranger("miller", 1), NOW).unwrap());
        }
    }
}
