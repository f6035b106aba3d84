//! An answer as a response: from the cache, in the coding that the client wants, or not at all if it has it.

use std::{fmt::Write, future::Future, time::Instant};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};

use crate::{
    answer::{Answer, Coding, Form},
    asked::Asked,
    cache::{Cache, Key, Source},
    error::Error,
};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Of one person; and a browser may keep it, but asks whether it is still good.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const VARY: HeaderValue = HeaderValue::from_static("Accept-Encoding, Authorization");

/// Answers from memory, or with what `load` gives.
pub async fn respond<L>(
    cache: &Cache,
    asked: &Asked,
    key: Key,
    load: impl Fn() -> L,
) -> Result<Response, Error>
where
    L: Future<Output = Result<Answer, Error>>,
{
    let began = Instant::now();
    let (kept, source) = cache.get(&key, asked.unheard, load).await?;
    let timing = Timing {
        asked,
        began,
        source,
    };
    let (answer, coding) = (&kept.value, asked.coding());
    let etag = answer.etag(coding);
    if asked.has(&etag) {
        return Ok(timing.head(StatusCode::NOT_MODIFIED, etag, Body::empty()));
    }
    let (form, made) = answer.form(coding).await;
    if made {
        cache.weigh_again(key, &kept);
    }
    // It may be that the coding saves nothing.
    if form.coding != coding && asked.has(&form.etag) {
        return Ok(timing.head(StatusCode::NOT_MODIFIED, form.etag.clone(), Body::empty()));
    }
    Ok(timing.whole(answer, form))
}

/// What of a response tells how it came about.
struct Timing<'a> {
    asked: &'a Asked,
    began: Instant,
    source: Source,
}

impl Timing<'_> {
    fn whole(&self, answer: &Answer, form: &Form) -> Response {
        let body = Body::from(form.bytes.clone());
        let mut response = self.head(StatusCode::OK, form.etag.clone(), body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, JSON);
        if form.coding != Coding::Identity {
            let name = HeaderValue::from_static(form.coding.name());
            headers.insert(header::CONTENT_ENCODING, name);
        }
        if let Some(link) = &answer.link {
            headers.insert(header::LINK, link.clone());
        }
        response
    }

    /// With the headers that a 304 has too.
    fn head(&self, status: StatusCode, etag: HeaderValue, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(12);
        headers.insert(header::ETAG, etag);
        headers.insert(header::CACHE_CONTROL, PRIVATE);
        headers.insert(header::VARY, VARY);
        let found = if self.source == Source::Memory {
            "hit"
        } else {
            "miss"
        };
        headers.insert(X_CACHE, HeaderValue::from_static(found));
        if let Ok(timing) = HeaderValue::try_from(self.to_header()) {
            headers.insert(SERVER_TIMING, timing);
        }
        response
    }

    /// In milliseconds. `db` is the load, `cache` is looking and, if it was somebody else's load, waiting for it.
    fn to_header(&self) -> String {
        let (now, mut text) = (Instant::now(), String::with_capacity(64));
        let load = match self.source {
            Source::Load(took) => took.as_micros() as u64,
            Source::Memory | Source::OthersLoad => 0,
        };
        let cache = ((now - self.began).as_micros() as u64).saturating_sub(load);
        let total = (now - self.asked.arrived).as_micros() as u64;
        for (name, micros) in [("cache", cache), (", db", load), (", total", total)] {
            let _ = write!(text, "{name};dur={}.{:03}", micros / 1000, micros % 1000);
        }
        text
    }
}
