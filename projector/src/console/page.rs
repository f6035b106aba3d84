//! What all pages have in common.

use askama::Template;
use axum::{
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{error::PageError, visitor::Visitor};

pub const HOME: &str = "/console/projections";
pub const SIGN_IN: &str = "/console/sign-in";

/// Scripts, styles and requests are of the same origin only, and nobody may put a page into a frame. uPlot sets styles by the
/// object model, which this allows.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The frame of a page.
pub struct Page {
    pub title: String,
    /// The part of the console, as in its path.
    pub part: &'static str,
    /// None for a page without sign-in.
    pub visitor: Option<Visitor>,
    pub notice: Option<String>,
}

impl Page {
    /// A page for somebody who has signed in, with what their last action led to.
    pub fn new(title: &str, part: &'static str, visitor: &Visitor) -> Self {
        Self {
            title: title.to_owned(),
            part,
            notice: visitor.take_notice(),
            visitor: Some(visitor.clone()),
        }
    }

    /// What a form has to send.
    pub fn csrf(&self) -> &str {
        self.visitor.as_ref().map_or("", |visitor| &visitor.csrf)
    }

    /// For `aria-current`.
    pub fn is_current(&self, part: &str) -> bool {
        self.part == part
    }
}

/// The parts of the console, in the order of the navigation.
pub const PARTS: [(&str, &str); 5] = [
    ("projections", "Projections"),
    ("log", "Log"),
    ("operations", "Operations"),
    ("explain", "Explain"),
    ("audit", "Audit"),
];

#[derive(Template)]
#[template(path = "console/error.html")]
struct ErrorPage {
    page: Page,
    error: PageError,
}

/// A page or a fragment of one.
pub fn html(template: &impl Template) -> Result<Response, PageError> {
    html_with(StatusCode::OK, template)
}

pub fn html_with(status: StatusCode, template: &impl Template) -> Result<Response, PageError> {
    let content_type = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    Ok((status, content_type, template.render()?).into_response())
}

/// The page about an error. Without a visitor, it says nothing about the console.
pub fn error_page(error: PageError, visitor: Option<&Visitor>) -> Response {
    let page = Page {
        title: error
            .status
            .canonical_reason()
            .unwrap_or("Error")
            .to_owned(),
        part: "",
        visitor: visitor.cloned(),
        notice: None,
    };
    let status = error.status;
    html_with(status, &ErrorPage { page, error }).unwrap_or_else(IntoResponse::into_response)
}

/// Headers of every response of the console. Only the assets, which have theirs already, may be cached.
pub fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(axum::http::HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::CACHE_CONTROL, "no-store");
    // With `no-referrer`, browsers would send `Origin: null` with forms.
    set(header::REFERRER_POLICY, "same-origin");
    response
}
