//! A program that visits the console as a browser does.

use feedmill_tests::kit::Process;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header, redirect::Policy};

/// Pages that answer 200 to whoever has signed in.
pub const PAGES: [&str; 15] = [
    "/console/projections",
    "/console/projections/table",
    "/console/projections/lag.json",
    "/console/projections/feed",
    "/console/projections/feed/live",
    "/console/projections/feed/confirm/swap",
    "/console/projections/feed/confirm/drop-previous",
    "/console/projections/feed/confirm/abort",
    "/console/log",
    "/console/log/table",
    "/console/operations",
    "/console/operations/live",
    "/console/operations/indexes",
    "/console/explain",
    "/console/audit",
];

/// Where forms are sent.
pub const FORMS: [&str; 16] = [
    "/console/sign-out",
    "/console/all/verify",
    "/console/all/rebuild",
    "/console/projections/feed/act/pause",
    "/console/projections/feed/act/verify",
    "/console/projections/feed/act/rebuild",
    "/console/projections/feed/act/resume",
    "/console/projections/feed/act/rollback",
    "/console/projections/feed/act/swap",
    "/console/projections/feed/act/drop-previous",
    "/console/projections/feed/act/abort",
    "/console/projections/feed/skip/1/1",
    "/console/log/texts",
    "/console/log/1/1/texts",
    "/console/operations/cache",
    "/console/explain",
];

/// A client that follows no redirect, of the console of a projector.
pub struct Visitor {
    pub http: reqwest::Client,
    pub origin: String,
    pub cookie: Option<String>,
    pub csrf: String,
}

impl Visitor {
    pub fn new(projector: &Process) -> Self {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none());
        Self {
            http: builder.build().expect("an HTTP client"),
            origin: projector.operators_url(""),
            cookie: None,
            csrf: String::new(),
        }
    }

    /// Somebody who has signed in.
    pub async fn signed_in(projector: &Process, token: &str) -> Self {
        let mut visitor = Self::new(projector);
        let answer = visitor.send("/console/sign-in", &[("token", token)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers()[header::SET_COOKIE]
            .to_str()
            .expect("a cookie");
        assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
        visitor.cookie = cookie.split(';').next().map(str::to_owned);
        let page = visitor.page("/console/projections").await;
        let (_, csrf) = page.split_once("name=\"csrf\" value=\"").expect("a form");
        csrf.split('"')
            .next()
            .expect("a token")
            .clone_into(&mut visitor.csrf);
        visitor
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.origin));
        match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.expect(path)
    }

    /// As a browser sends a form of this origin.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("csrf", &self.csrf);
        self.request(Method::POST, path)
            .header(header::ORIGIN, &self.origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish())
    }

    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.form(path, fields).send().await.expect(path)
    }

    /// The text of a page; panics unless it is 200.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        let (status, text) = (answer.status(), answer.text().await.expect("a text"));
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        text
    }

    /// Status and text of the answer to a form.
    pub async fn sent(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let answer = self.send(path, fields).await;
        (
            answer.status().as_u16(),
            answer.text().await.expect("a text"),
        )
    }
}
