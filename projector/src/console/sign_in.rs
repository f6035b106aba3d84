//! Signing in and out.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};

use super::{
    access::{Operator, Refusal},
    error::PageError,
    fields::Fields,
    page::{HOME, Page, SIGN_IN, html_with},
    state::Console,
    visitor::Visitor,
};
use crate::audit::{self, AuditEntry};

/// As long as a token of an identity provider may be.
const MAX_TOKEN_BYTES: usize = 16 << 10;

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage {
    page: Page,
    problem: Option<&'static str>,
}

fn page(status: StatusCode, problem: Option<&'static str>) -> Result<Response, PageError> {
    let page = Page {
        title: "Sign in".to_owned(),
        part: "",
        visitor: None,
        notice: None,
    };
    html_with(status, &SignInPage { page, problem })
}

pub async fn form(
    State(console): State<Console>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    if console.sessions.of(&headers).is_some() {
        return Ok(Redirect::to(HOME).into_response());
    }
    page(StatusCode::OK, None)
}

pub async fn sign_in(
    State(console): State<Console>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, PageError> {
    let token = fields.raw("token");
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
        return page(StatusCode::BAD_REQUEST, Some("Enter your token."));
    }
    let operator = match console.access.authenticate(token).await {
        Ok(operator) => operator,
        Err(Refusal::Wrong) => {
            tracing::warn!("console: somebody tried to sign in with a wrong token");
            return page(
                StatusCode::FORBIDDEN,
                Some("This token may not use the console."),
            );
        }
        Err(Refusal::Busy) => {
            let problem = "Too many people are signing in. Try again in a moment.";
            return page(StatusCode::TOO_MANY_REQUESTS, Some(problem));
        }
    };
    record(&console, &operator, "sign-in").await?;
    let cookie = console.sessions.begin(operator, is_https(&headers));
    Ok((
        AppendHeaders([(header::SET_COOKIE, cookie)]),
        Redirect::to(HOME),
    )
        .into_response())
}

pub async fn sign_out(
    State(console): State<Console>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let cookie = console.sessions.end(&headers);
    record(&console, &visitor.operator, "sign-out").await?;
    Ok((
        AppendHeaders([(header::SET_COOKIE, cookie)]),
        Redirect::to(SIGN_IN),
    )
        .into_response())
}

async fn record(console: &Console, operator: &Operator, action: &str) -> Result<(), PageError> {
    let entry = AuditEntry {
        by: &operator.name,
        action,
        reason: "console",
        ..AuditEntry::default()
    };
    let mut db = console.database.connection().await?;
    Ok(audit::record(&entry, &mut db).await?)
}

/// Whether the browser came by HTTPS, through a proxy.
fn is_https(headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN);
    origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}
