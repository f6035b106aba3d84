//! `/openapi.json` and `/docs`: the description of the API, for programs and for people. All of it is in the binary, and a
//! browser requests nothing elsewhere.

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::etag;

const DOCUMENT: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json"));
const PAGE: &[u8] = include_bytes!("docs/index.html");
const RAPIDOC: &[u8] = include_bytes!("docs/rapidoc/rapidoc-min.js");

/// With the version: the content at a path never changes.
const RAPIDOC_PATH: &str = "/docs/rapidoc-9.3.8.js";

/// A new version of the service may have another document.
const REVALIDATE: &str = "no-cache";
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Scripts and requests are of the same origin only. RapiDoc sets styles in attributes.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; \
                           connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For what is no page.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The routes, for the clients of a service.
pub fn router() -> Router {
    let page = File::new("text/html; charset=utf-8", REVALIDATE, PAGE);
    let page = File {
        policy: PAGE_POLICY,
        ..page
    };
    let document = File::new("application/json", REVALIDATE, DOCUMENT);
    let script = File::new("text/javascript; charset=utf-8", FOR_EVER, RAPIDOC);
    [
        ("/docs", page),
        ("/openapi.json", document),
        (RAPIDOC_PATH, script),
    ]
    .into_iter()
    .fold(Router::new(), |router, (path, file)| {
        router.route(
            path,
            get(async move |request: HeaderMap| file.respond(&request)),
        )
    })
}

/// A file in the binary.
#[derive(Clone)]
struct File {
    content_type: &'static str,
    cache_control: &'static str,
    policy: &'static str,
    etag: HeaderValue,
    bytes: &'static [u8],
}

impl File {
    fn new(content_type: &'static str, cache_control: &'static str, bytes: &'static [u8]) -> Self {
        let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(bytes)[..16]);
        let etag = HeaderValue::try_from(format!("\"{hash}\""));
        Self {
            content_type,
            cache_control,
            policy: POLICY,
            etag: etag.expect("base64url is visible ASCII"),
            bytes,
        }
    }

    fn respond(&self, request: &HeaderMap) -> Response {
        let head: [(HeaderName, HeaderValue); 3] = [
            (header::ETAG, self.etag.clone()),
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static(self.cache_control),
            ),
            (
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(self.policy),
            ),
        ];
        if etag::is_known(request.get_all(header::IF_NONE_MATCH), &self.etag) {
            return (StatusCode::NOT_MODIFIED, head).into_response();
        }
        let content_type = [(header::CONTENT_TYPE, self.content_type)];
        (head, content_type, self.bytes).into_response()
    }
}
