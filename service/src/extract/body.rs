//! Reading a body up to its size limit.

use std::time::Duration;

use axum::{
    body::{Bytes, HttpBody},
    extract::{FromRequest, Request},
    http::{Extensions, HeaderMap, header},
};
use http_body_util::BodyExt;

use crate::problem::{Problem, codes};

/// The maximum size of any body in bytes: an extension of the request, set by the middleware.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

/// The maximum size of a body of some routes in bytes, where it is less than [`BodyLimit`]: an extension, added by the
/// router. It bounds the memory that half-sent bodies take.
#[derive(Debug, Clone, Copy)]
pub struct RouteBodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(1 << 20)
    }
}

/// The rest of a body that is too large is read and discarded up to these limits: a client that is still sending when
/// the connection closes would not see the response.
const MAX_DRAIN_BYTES: usize = 16 << 20;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The bytes of the body. Rejections: 415 if it has a content coding, 413 if it is too large, 400 if it is incomplete.
#[derive(Debug, Clone)]
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if has_content_coding(request.headers()) {
            return Err(Problem::unsupported_encoding());
        }
        let limit = limit_of(request.extensions());
        let request = refuse_too_large(request, limit).await?;
        let mut body = request.into_body();
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(expected.min(limit));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                Problem::new(
                    codes::INCOMPLETE_BODY,
                    "the body is incomplete or malformed",
                )
            })?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            if bytes.len() + data.len() > limit {
                drain(body).await;
                return Err(Problem::too_large(limit));
            }
            bytes.extend_from_slice(data);
        }
        Ok(Self(bytes.into()))
    }
}

fn limit_of(extensions: &Extensions) -> usize {
    let BodyLimit(all) = extensions.get().copied().unwrap_or_default();
    let route = extensions.get();
    route.map_or(all, |RouteBodyLimit(limit)| all.min(*limit))
}

/// Whether `Content-Encoding` names anything but `identity`. Bodies are small, and decoding one would need limits of its
/// own.
fn has_content_coding(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// Refuses a request whose `Content-Length` is over the limit, before its body is read.
pub(crate) async fn refuse_too_large(request: Request, limit: usize) -> Result<Request, Problem> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    if declared
        .and_then(|value| value.parse::<u64>().ok())
        .is_none_or(|length| length <= limit as u64)
    {
        return Ok(request);
    }
    // A client that waits for "100 Continue" has not sent the body, and will not send it after this response.
    if !request.headers().contains_key(header::EXPECT) {
        drain(request.into_body()).await;
    }
    Err(Problem::too_large(limit))
}

async fn drain(mut body: axum::body::Body) {
    let mut drained = 0;
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, async {
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > MAX_DRAIN_BYTES {
                break;
            }
        }
    })
    .await;
}
