//! `Feedmill-Min-Position`: a read that waits for its client's writes.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use feedmill_events::{Positions, position::InvalidPosition};
use uuid::Uuid;

use super::auth::Gate;
use crate::{error::Error, sql::secrets::Secrets};

const MIN_POSITION: HeaderName = HeaderName::from_static("feedmill-min-position");
const PREFER: HeaderName = HeaderName::from_static("prefer");
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// In seconds: without a preference of the client, and at most.
const DEFAULT_WAIT: u64 = 1;
const MAX_WAIT: u64 = 10;

/// The outcome of waiting.
pub struct Outcome {
    /// Whether changes up to the position may not be recorded in the tag versions, so that the cache must be bypassed.
    /// Errors: 503 `projection_behind`, 422 for an invalid position.
    pub bypass_cache: Result<bool, Error>,
    /// The value of `Preference-Applied`.
    pub preference_applied: Option<HeaderValue>,
    /// How long the request has waited, if it has a position.
    pub waited: Option<Duration>,
}

/// Waits until the projections of the route have applied the position of the request, if it has one.
pub async fn wait(gate: &Gate, account: Uuid, headers: &HeaderMap) -> Outcome {
    let Gate {
        progress,
        projections,
        ..
    } = gate;
    let position = match min_position(&gate.secrets, account, headers).await {
        Ok(Some(position)) => position,
        none_or_error => {
            return Outcome {
                bypass_cache: none_or_error.map(|_| false),
                preference_applied: None,
                waited: None,
            };
        }
    };
    let preferred = preferred_wait(headers);
    let wait = Duration::from_secs(preferred.unwrap_or(DEFAULT_WAIT));
    let started = Instant::now();
    let bypass_cache = if progress.wait_for(&position, projections, wait).await {
        Ok(!progress.has_recorded(&position, projections))
    } else {
        Err(Error::ProjectionBehind(wait))
    };
    let applied = preferred.map(|seconds| HeaderValue::try_from(format!("wait={seconds}")));
    Outcome {
        bypass_cache,
        preference_applied: applied.and_then(Result::ok),
        waited: Some(started.elapsed()),
    }
}

/// The positions of all such headers combined. Errors: 422 unless each is one that this account got.
async fn min_position(
    secrets: &Secrets,
    account: Uuid,
    headers: &HeaderMap,
) -> Result<Option<Positions>, Error> {
    let mut values = headers.get_all(&MIN_POSITION).iter().peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    let key = &secrets.get().await?.positions;
    let mut combined = Positions::default();
    let mut include = |value: &HeaderValue| {
        for text in value.to_str().map_err(|_| InvalidPosition)?.split(',') {
            let positions = key.open(account, text.trim())?;
            positions
                .iter()
                .for_each(|(partition, seq)| combined.include(partition, seq));
        }
        Ok(())
    };
    values
        .try_for_each(&mut include)
        .map_err(|error: InvalidPosition| {
            Error::parameter("Feedmill-Min-Position", error.to_string())
        })?;
    Ok(Some(combined))
}

/// `Prefer: wait=<seconds>` (RFC 7240), at most [`MAX_WAIT`]. Other and invalid preferences are ignored, as the RFC
/// requires; of several the first one counts.
fn preferred_wait(headers: &HeaderMap) -> Option<u64> {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next()?.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, seconds)| seconds.trim().trim_matches('"').parse::<u64>().ok())
        .map(|seconds| seconds.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefer(values: &[&'static str]) -> Option<u64> {
        let headers = values
            .iter()
            .map(|value| (PREFER, HeaderValue::from_static(value)))
            .collect();
        preferred_wait(&headers)
    }

    #[test]
    fn a_preference_is_found_among_others() {
        assert_eq!(prefer(&[]), None);
        assert_eq!(prefer(&["wait=3"]), Some(3));
        assert_eq!(prefer(&["respond-async, Wait = \"2\"; x=1"]), Some(2));
        assert_eq!(prefer(&["respond-async", "wait=0, wait=5"]), Some(0));
        assert_eq!(prefer(&["wait=600"]), Some(10));
        assert_eq!(prefer(&["wait=-1"]), None);
        assert_eq!(prefer(&["wait"]), None);
    }
}
