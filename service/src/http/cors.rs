//! Cross-origin resource sharing: which pages may call the API from a browser.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// The response headers that a page may read, besides those that every page may.
const EXPOSED: [HeaderName; 15] = [
    header::ETAG,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    header::ALLOW,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("accept-encoding"),
    HeaderName::from_static("feedmill-position"),
    HeaderName::from_static("idempotency-replayed"),
    HeaderName::from_static("preference-applied"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("server-timing"),
    HeaderName::from_static("x-cache"),
    HeaderName::from_static("x-process-time"),
];

/// The request headers that a page may send, besides those that every page may.
const ALLOWED: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    HeaderName::from_static("feedmill-min-position"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("traceparent"),
];

const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// How long a browser remembers that it may send a request; Chromium remembers no longer.
const MAX_AGE: Duration = Duration::from_hours(2);

/// Any origin.
const ANY: &str = "*";

/// The middleware for these origins. None without any: browsers then refuse pages of other origins. Credentials such as cookies
/// are not allowed; the API does not use them.
pub(super) fn layer(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == ANY) {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().cloned())
    };
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods(METHODS)
        .allow_headers(ALLOWED)
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE);
    Some(layer)
}

/// Parses `https://app.example`, with a port where it is not the scheme's, or `*`.
pub(crate) fn origin(text: &str) -> Result<HeaderValue, String> {
    let invalid = || format!("{text:?} is not an origin such as https://app.example, or *");
    let text = text.trim();
    let host = text.split_once("://").map(|(_, host)| host);
    // A browser leaves out the port of the scheme.
    let has_default_port = text.starts_with("https:") && text.ends_with(":443")
        || text.starts_with("http:") && text.ends_with(":80");
    let is_origin = |host: &str| {
        !has_default_port && !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' '])
    };
    if text != ANY && !host.is_some_and(is_origin) {
        return Err(invalid());
    }
    // Browsers send it in lower case.
    HeaderValue::try_from(text.to_ascii_lowercase()).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_scheme_and_a_host_only() {
        for text in [
            "https://app.example",
            "http://localhost:5173",
            "*",
            "app://x",
        ] {
            assert_eq!(origin(text).unwrap(), text);
        }
        assert_eq!(
            origin(" HTTPS://App.Example ").unwrap(),
            "https://app.example"
        );
        for text in [
            "",
            "app.example",
            "https://",
            "https://a.example/",
            "https://*.example",
            "https://a.example:443",
            "http://a.example:80",
            "null",
        ] {
            assert!(origin(text).is_err(), "{text:?}");
        }
    }
}
