//! Before every page: who asks, and whether a page of the console sent the form.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{
    access::Refusal,
    error::PageError,
    fields::Fields,
    page::{SIGN_IN, error_page, secure},
    state::Console,
    visitor::Visitor,
};

/// A form of the console is smaller.
const MAX_FORM_BYTES: usize = 32 << 10;
const HTMX: &str = "hx-request";
const HTMX_REDIRECT: &str = "hx-redirect";
const CSRF_HEADER: &str = "x-csrf-token";

/// For the pages that need a sign-in. Others are sent to it: 303, or 401 for what a script of a page requests.
pub async fn guard(State(console): State<Console>, request: Request, next: Next) -> Response {
    let visitor = match visitor(&console, request.headers()).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => return secure(sign_in_first(request.headers())),
        Err(error) => return secure(error_page(error, None)),
    };
    let response = match admit(request, &visitor).await {
        Ok(mut request) => {
            request.extensions_mut().insert(visitor.clone());
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    secure(with_page(response, Some(&visitor)))
}

/// For the pages without a sign-in: a form must come from them, too.
pub async fn open(request: Request, next: Next) -> Response {
    let response = match read_form(request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    secure(with_page(response, None))
}

/// Makes a page of an error.
fn with_page(mut response: Response, visitor: Option<&Visitor>) -> Response {
    match response.extensions_mut().remove::<PageError>() {
        Some(error) => error_page(error, visitor),
        None => response,
    }
}

/// By the session, or by `Authorization: Bearer`. Errors: too many tokens are being checked.
async fn visitor(console: &Console, headers: &HeaderMap) -> Result<Option<Visitor>, PageError> {
    let of = |operator, csrf| Visitor {
        operator,
        csrf,
        sessions: console.sessions.clone(),
        headers: headers.clone(),
    };
    if let Some(session) = console.sessions.of(headers) {
        if console.access.is_revoked(&session.operator) {
            console.sessions.end(headers);
            return Ok(None);
        }
        return Ok(Some(of(session.operator, session.csrf)));
    }
    let Some(token) = bearer(headers) else {
        return Ok(None);
    };
    match console.access.authenticate(token).await {
        Ok(operator) => Ok(Some(of(operator, String::new()))),
        Err(Refusal::Wrong) => Ok(None),
        Err(Refusal::Busy) => Err(PageError::busy(
            "Too many tokens are being checked. Try again.",
        )),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn sign_in_first(headers: &HeaderMap) -> Response {
    if headers.contains_key(HTMX) || headers.contains_key(header::AUTHORIZATION) {
        let redirect = [(HTMX_REDIRECT, HeaderValue::from_static(SIGN_IN))];
        return (StatusCode::UNAUTHORIZED, redirect, "Sign in first.").into_response();
    }
    Redirect::to(SIGN_IN).into_response()
}

/// Reads the form of a request that changes something, and refuses one that no page of this session has sent.
async fn admit(request: Request, visitor: &Visitor) -> Result<Request, PageError> {
    let request = read_form(request).await?;
    if let Some(form) = request.extensions().get::<Fields>()
        && !visitor.csrf.is_empty()
    {
        let header = request
            .headers()
            .get(CSRF_HEADER)
            .and_then(|value| value.to_str().ok());
        if header.unwrap_or(form.raw("csrf")) != visitor.csrf {
            return Err(PageError::forbidden(
                "The form is from another session, or from another page. Go back, reload the page and try again.",
            ));
        }
    }
    Ok(request)
}

/// Errors: a form of another origin, or one that is too large or has a wrong type.
async fn read_form(request: Request) -> Result<Request, PageError> {
    if request.method() != Method::POST {
        return Ok(request);
    }
    check_origin(request.headers())?;
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return Err(PageError::field(
            "Content-Type",
            "must be application/x-www-form-urlencoded",
        ));
    }
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_FORM_BYTES).await;
    let bytes =
        bytes.map_err(|_| PageError::field("form", "is incomplete, or larger than 32 KiB"))?;
    let fields = Fields::parse(&bytes)?;
    let mut request = Request::from_parts(parts, Body::empty());
    request.extensions_mut().insert(fields);
    Ok(request)
}

/// Refuses what a page of another origin has a browser send. Other clients send neither header.
fn check_origin(headers: &HeaderMap) -> Result<(), PageError> {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or_default())
    };
    let is_same = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text("host")
        }
        (None, None) => true,
    };
    is_same
        .then_some(())
        .ok_or_else(|| PageError::forbidden("A page of another origin sent this form."))
}

/// Unknown paths of the console.
pub async fn not_found(uri: axum::http::Uri) -> PageError {
    PageError::not_found(format!("page {}", uri.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_same(pairs: &[(&'static str, &str)]) -> bool {
        let pair = |(name, value): &(&'static str, &str)| {
            (
                header::HeaderName::from_static(name),
                HeaderValue::try_from(*value).unwrap(),
            )
        };
        check_origin(&pairs.iter().map(pair).collect()).is_ok()
    }

    #[test]
    fn only_a_page_of_the_same_origin_may_send_a_form() {
        let host = ("host", "127.0.0.1:8092");
        assert!(is_same(&[host]));
        assert!(is_same(&[host, ("origin", "http://127.0.0.1:8092")]));
        assert!(is_same(&[
            host,
            ("origin", "https://console.example"),
            ("sec-fetch-site", "same-origin")
        ]));
        for origin in ["http://127.0.0.1:9000", "null", "http://evil.example", ""] {
            assert!(!is_same(&[host, ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", ""] {
            let own = ("origin", "http://127.0.0.1:8092");
            assert!(!is_same(&[host, own, ("sec-fetch-site", site)]), "{site}");
        }
    }
}
