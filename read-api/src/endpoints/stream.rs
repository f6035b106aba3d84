//! `/v1/stream`.

use std::convert::Infallible;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, header},
    response::IntoResponse,
};
use feedmill_service::tokens::LEEWAY_SECONDS;
use futures::{StreamExt, stream::poll_fn};

use super::Result;
use crate::{
    error::Error,
    http::request_context::RequestContext,
    state::AppState,
    stream::{StreamEvent, live},
};

const LAST_EVENT_ID: &str = "last-event-id";

const HEADERS: [(HeaderName, &str); 3] = [
    (header::CONTENT_TYPE, "text/event-stream"),
    (header::CACHE_CONTROL, "no-store"),
    // nginx would otherwise buffer events.
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

/// Follow what is new
///
/// An endless response of server-sent events: new items of the caller's feed, conversations and notifications. It begins with
/// `retry` and an `unread` event. A comment every 15 seconds shows that the stream is alive. It ends when the token expires
/// or its session ends, when the service stops, and when the client reads nothing for 10 seconds.
///
/// The schema is that of one event: `event`, `id` and `data` are its fields, and `data` is sent as JSON.
#[utoipa::path(
    get,
    path = "/v1/stream",
    operation_id = "openStream",
    tag = "Live updates",
    responses((status = 200, body = StreamEvent, content_type = "text/event-stream")),
    extensions(("x-problems" = json!(["invalid_event_id", "not_acceptable", "too_many_streams"]))),
)]
pub async fn open(
    State(state): State<AppState>,
    headers: HeaderMap,
    context: RequestContext,
) -> Result {
    if !accepts_events(&headers) {
        return Err(Error::NotAcceptable);
    }
    let last_event_id = headers
        .get(LAST_EVENT_ID)
        .map(|id| id.to_str().map_err(|_| Error::EventId))
        .transpose()?
        .filter(|id| !id.is_empty());
    let revocations = state.verifier.revocations();
    let token = live::Token {
        expires: context.token_expires.saturating_add(LEEWAY_SECONDS),
        session: context.session.map(|session| revocations.watch(session)),
    };
    let began = state.secrets.get().await?.incarnation_began;
    let streams = &state.streams;
    let mut events = live::open(streams, context.viewer, token, last_event_id, began).await?;
    let events = poll_fn(move |context| events.poll_recv(context)).map(Ok::<_, Infallible>);
    Ok((HEADERS, Body::from_stream(events)).into_response())
}

/// A client without `Accept` accepts everything.
fn accepts_events(headers: &HeaderMap) -> bool {
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .filter(|range| !range.trim().is_empty())
        .peekable();
    ranges.peek().is_none() || ranges.any(matches_events)
}

fn matches_events(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let refused = parts.any(|part| {
        let quality = part.strip_prefix("q=").or(part.strip_prefix("Q="));
        quality.is_some_and(|quality| quality.trim().parse() == Ok(0.0))
    });
    matches!(&*kind, "text/event-stream" | "text/*" | "*/*") && !refused
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn accepts(values: &[&'static str]) -> bool {
        let headers = values
            .iter()
            .map(|value| (header::ACCEPT, HeaderValue::from_static(value)))
            .collect();
        accepts_events(&headers)
    }

    #[test]
    fn event_streams_are_sent_only_to_clients_that_accept_them() {
        for good in [
            &[][..],
            &["*/*"],
            &["text/event-stream"],
            &["application/json, Text/*;q=0.5"],
            &["application/json", "text/event-stream; charset=utf-8"],
        ] {
            assert!(accepts(good), "{good:?}");
        }
        for bad in [
            &["application/json"][..],
            &["text/html, image/*"],
            &["text/event-stream;q=0, application/json"],
        ] {
            assert!(!accepts(bad), "{bad:?}");
        }
    }
}
