//! `Feedmill-Min-Position`: a read that waits for what its client has written.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use feedmill_events::{Positions, position::NotAPosition};

use crate::{
    error::Error,
    progress::{Progress, Projection},
};

const MIN_POSITION: HeaderName = HeaderName::from_static("feedmill-min-position");
const PREFER: HeaderName = HeaderName::from_static("prefer");
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// In seconds, if the client does not say, and at most.
const DEFAULT_WAIT: u64 = 1;
const MAX_WAIT: u64 = 10;

/// How waiting has ended.
pub struct Waited {
    /// Whether of what changed up to the position, something may not have been heard of. Errors: 503
    /// `projection_behind`, 422 for what is no position.
    pub unheard: Result<bool, Error>,
    /// The value of `Preference-Applied`.
    pub applied: Option<HeaderValue>,
}

/// Waits until all of `projections` have reached the position of the request, if it has one.
pub async fn wait(progress: &Progress, projections: &[Projection], headers: &HeaderMap) -> Waited {
    let wanted = match min_position(headers) {
        Ok(Some(wanted)) => wanted,
        none_or_error => {
            let error =
                |error: NotAPosition| Error::parameter("Feedmill-Min-Position", error.to_string());
            return Waited {
                unheard: none_or_error.map(|_| false).map_err(error),
                applied: None,
            };
        }
    };
    let preferred = preferred_wait(headers);
    let wait = Duration::from_secs(preferred.unwrap_or(DEFAULT_WAIT));
    let unheard = if progress.reach(&wanted, projections, wait).await {
        Ok(!progress.heard(&wanted, projections))
    } else {
        Err(Error::Behind(wait))
    };
    let applied = preferred.map(|seconds| HeaderValue::try_from(format!("wait={seconds}")));
    Waited {
        unheard,
        applied: applied.and_then(Result::ok),
    }
}

/// The position of all such headers together.
fn min_position(headers: &HeaderMap) -> Result<Option<Positions>, NotAPosition> {
    let mut together: Option<Positions> = None;
    for value in headers.get_all(&MIN_POSITION) {
        let positions: Positions = value.to_str().map_err(|_| NotAPosition)?.parse()?;
        let together = together.get_or_insert_default();
        positions
            .iter()
            .for_each(|(partition, seq)| together.include(partition, seq));
    }
    Ok(together)
}

/// `Prefer: wait=<seconds>` (RFC 7240), cut to what is possible. What is no such preference is ignored, as
/// that document demands; of several the first counts.
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

    #[test]
    fn positions_of_several_headers_count_together() {
        let mut headers = HeaderMap::new();
        assert_eq!(min_position(&headers), Ok(None));
        headers.append(MIN_POSITION, HeaderValue::from_static("1:5,2:7"));
        headers.append(MIN_POSITION, HeaderValue::from_static("1:9"));
        assert_eq!(
            min_position(&headers).unwrap().unwrap().to_string(),
            "1:9,2:7"
        );
        headers.append(MIN_POSITION, HeaderValue::from_static("nowhere"));
        assert_eq!(min_position(&headers), Err(NotAPosition));
    }
}
