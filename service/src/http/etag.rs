//! `If-None-Match` (RFC 9110, section 13.1.2).

use axum::http::HeaderValue;

/// Whether one of the values of `If-None-Match` names the `ETag`. The comparison is weak.
pub fn is_known<'v>(
    if_none_match: impl IntoIterator<Item = &'v HeaderValue>,
    etag: &HeaderValue,
) -> bool {
    if_none_match
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}
