//! The response of an answer: from the cache or loaded, in the client's encoding, or 304 if the client has it.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};

use feedmill_service::http::timing::{SERVER_TIMING, push_timing};

use super::request_context::RequestContext;
use crate::{
    cache::{
        answer::{Answer, EncodedBody, LoadedAnswer},
        answers::{AnswerCache, Key, Source},
        encoding::Encoding,
    },
    error::Error,
};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// For one viewer. A browser may cache it, but must revalidate it.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const VARY: HeaderValue = HeaderValue::from_static("Accept-Encoding, Authorization");

/// The response with the cached answer, or with what `load` gives.
pub async fn respond<L>(
    cache: &AnswerCache,
    context: &RequestContext,
    key: Key,
    load: impl Fn() -> L,
) -> Result<Response, Error>
where
    L: Future<Output = Result<LoadedAnswer, Error>>,
{
    let started = Instant::now();
    let (entry, source) = cache.get(&key, started, context.bypass_cache, load).await?;
    let responder = Responder { started, source };
    let (answer, encoding) = (&entry.value, context.encoding);
    let etag = answer.etag(encoding);
    if context.client_has(&etag) {
        return Ok(responder.head(StatusCode::NOT_MODIFIED, etag, Body::empty()));
    }
    let (body, made) = answer.body(encoding).await;
    if made {
        cache.reweigh(key, &entry);
    }
    // The encoding may have saved nothing.
    if body.encoding != encoding && context.client_has(&body.etag) {
        return Ok(responder.head(StatusCode::NOT_MODIFIED, body.etag.clone(), Body::empty()));
    }
    Ok(responder.full(answer, body))
}

struct Responder {
    started: Instant,
    source: Source,
}

impl Responder {
    fn full(&self, answer: &Answer, body: &EncodedBody) -> Response {
        let bytes = Body::from(body.bytes.clone());
        let mut response = self.head(StatusCode::OK, body.etag.clone(), bytes);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, JSON);
        if body.encoding != Encoding::Identity {
            let name = HeaderValue::from_static(body.encoding.name());
            headers.insert(header::CONTENT_ENCODING, name);
        }
        if let Some(link) = &answer.link {
            headers.insert(header::LINK, link.clone());
        }
        response
    }

    /// A response with the headers that a 304 has too.
    fn head(&self, status: StatusCode, etag: HeaderValue, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(12);
        headers.insert(header::ETAG, etag);
        headers.insert(header::CACHE_CONTROL, PRIVATE);
        headers.insert(header::VARY, VARY);
        let found = if self.source == Source::Cache {
            "hit"
        } else {
            "miss"
        };
        headers.insert(X_CACHE, HeaderValue::from_static(found));
        if let Ok(timing) = HeaderValue::try_from(self.server_timing()) {
            headers.insert(SERVER_TIMING, timing);
        }
        response
    }

    /// `db` is the load of this request, `cache` the lookup and the wait for another request's load. The middleware adds the
    /// total.
    fn server_timing(&self) -> String {
        let load = match self.source {
            Source::Load(took) => took,
            Source::Cache | Source::JoinedLoad => Duration::ZERO,
        };
        let mut text = String::with_capacity(64);
        push_timing(
            &mut text,
            "cache",
            self.started.elapsed().saturating_sub(load),
        );
        push_timing(&mut text, ", db", load);
        text
    }
}
