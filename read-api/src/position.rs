//! `Feedmill-Min-Position`: a read that waits for what its client has written.

use std::time::{Duration, Instant};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse, Response},
};
use feedmill_events::{Positions, position::NotAPosition};

use crate::{
    error::Error,
    progress::{Progress, Projection},
};

const MIN_POSITION: &str = "Feedmill-Min-Position";
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// In seconds, if the client does not say, and at most.
const DEFAULT_WAIT: u64 = 1;
const MAX_WAIT: u64 = 10;

/// An extension of every request that has got through [`wait`].
#[derive(Debug, Clone, Copy)]
pub struct Waited {
    pub arrived: Instant,
    /// Its position is reached, but of what changed up to it, something may not have been heard of.
    pub unheard: bool,
}

/// Middleware: goes on when all of `projections` have reached the position of the request, if it has one.
/// 503 `projection_behind` if they do not in time, 422 for what is no position.
pub async fn wait(
    State((progress, projections)): State<(Progress, &'static [Projection])>,
    mut request: Request,
    next: Next,
) -> Response {
    let arrived = Instant::now();
    let wanted = match min_position(request.headers()) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => {
            let waited = Waited {
                arrived,
                unheard: false,
            };
            request.extensions_mut().insert(waited);
            return next.run(request).await;
        }
        Err(error) => return Error::parameter(MIN_POSITION, error.to_string()).into_response(),
    };
    let preferred = preferred_wait(request.headers());
    let wait = Duration::from_secs(preferred.unwrap_or(DEFAULT_WAIT));
    let mut response = if progress.reach(&wanted, projections, wait).await {
        let unheard = !progress.heard(&wanted, projections);
        request.extensions_mut().insert(Waited { arrived, unheard });
        next.run(request).await
    } else {
        Error::Behind(wait).into_response()
    };
    if let Some(seconds) = preferred
        && let Ok(applied) = HeaderValue::try_from(format!("wait={seconds}"))
    {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    response
}

/// The position of all such headers together.
fn min_position(headers: &HeaderMap) -> Result<Option<Positions>, NotAPosition> {
    let mut together: Option<Positions> = None;
    for value in headers.get_all(MIN_POSITION) {
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
