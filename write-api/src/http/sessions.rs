use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use feedmill_events::id;
use feedmill_service::{Caller, Problem, extract::Path};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    request::{CommandBody, CommandRequest, Fields, LocalOnly, Stranger, local},
    response,
};
use crate::{
    app::App,
    client::Client,
    domain::clock::time,
    quota::{Quota, Reserved},
    session::{Granted, LiveSession, SessionError, SignIn, Which},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    handle: String,
    password: String,
    device_name: Option<String>,
    device_token: Option<String>,
}

impl Credentials {
    fn parse(self) -> Result<SignIn, Problem> {
        let mut fields = Fields::default();
        let handle = fields.take("handle", self.handle);
        let password = fields.take("password", self.password);
        let device_name = fields.take_optional("device_name", self.device_name);
        match (handle, password, device_name) {
            (Some(handle), Some(password), Some(device_name)) => Ok(SignIn {
                handle,
                password,
                device_name,
                device_token: self.device_token,
            }),
            _ => Err(fields.problem()),
        }
    }
}

/// `POST /v1/sessions`
pub async fn create(
    State(app): State<App>,
    _: LocalOnly,
    Stranger(stranger): Stranger,
    request: CommandBody<Credentials>,
) -> Result<Response, Problem> {
    let sign_in = request.body.parse()?;
    let sessions = &local(&app)?.sessions;
    let client = sessions.client_of(&sign_in, stranger).await?;
    let reserved = app.reserve(Quota::SignIns, client)?;
    let key = request.key.as_ref();
    let granted = sessions
        .open(sign_in, client, key, app.clock().now())
        .await?;
    Ok(created(&app, granted, reserved))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    refresh_token: String,
}

/// `POST /v1/sessions/refresh`
pub async fn refresh(
    State(app): State<App>,
    _: LocalOnly,
    request: CommandBody<Refresh>,
) -> Result<Response, Problem> {
    let sessions = &local(&app)?.sessions;
    let token = &request.body.refresh_token;
    let session = Client::Known(sessions.session_of(token)?);
    let reserved = app.reserve(Quota::Refreshes, session)?;
    let granted = sessions
        .refresh(token, request.key.as_ref(), app.clock().now())
        .await?;
    Ok(created(&app, granted, reserved))
}

/// Tokens must not be cached (RFC 6749, section 5.1).
fn created(app: &App, granted: Granted, reserved: Reserved) -> Response {
    let Granted { tokens, replayed } = granted;
    let response = (StatusCode::CREATED, Json(tokens)).into_response();
    let quota = app.count(reserved, replayed);
    response::with_quota(response::replayed(no_store(response), replayed), quota)
}

#[derive(Serialize)]
struct SessionList {
    items: Vec<SessionView>,
}

#[derive(Serialize)]
struct SessionView {
    id: Uuid,
    #[serde(serialize_with = "response::time")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "response::time")]
    last_used_at: DateTime<Utc>,
    device_name: Option<String>,
    /// Whether the request was made in it.
    current: bool,
}

impl SessionView {
    fn new(session: LiveSession, current: Option<Uuid>) -> Self {
        let created_at = time(id::millis(session.id));
        Self {
            id: session.id,
            created_at,
            last_used_at: session.issued_at.unwrap_or(created_at),
            device_name: session.device_name,
            current: current == Some(session.id),
        }
    }
}

/// `GET /v1/sessions`
pub async fn list(
    State(app): State<App>,
    _: LocalOnly,
    Caller(caller): Caller,
) -> Result<Response, Problem> {
    let sessions = &local(&app)?.sessions;
    let listed = sessions.list(caller.account, app.clock().now()).await?;
    let view = |session| SessionView::new(session, caller.session);
    let items = listed.into_iter().map(view).collect();
    Ok(no_store(Json(SessionList { items }).into_response()))
}

/// `DELETE /v1/sessions/{id}`
pub async fn end(
    State(app): State<App>,
    _: LocalOnly,
    Caller(caller): Caller,
    Path(session): Path<Uuid>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    finish(&app, caller.account, Which::One(session), request).await
}

/// `DELETE /v1/sessions/current`: 404 for a token that belongs to no session.
pub async fn end_current(
    State(app): State<App>,
    _: LocalOnly,
    Caller(caller): Caller,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let session = caller.session.ok_or(SessionError::NotFound)?;
    finish(&app, caller.account, Which::One(session), request).await
}

/// `DELETE /v1/sessions`: all but the one that the request is made in.
pub async fn end_others(
    State(app): State<App>,
    _: LocalOnly,
    Caller(caller): Caller,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let others = Which::AllExcept(caller.session);
    finish(&app, caller.account, others, request).await
}

async fn finish(
    app: &App,
    account: Uuid,
    which: Which,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let sessions = &local(app)?.sessions;
    let key = request.key.as_ref();
    let replayed = sessions.end(account, which, key, app.clock().now()).await?;
    let response = StatusCode::NO_CONTENT.into_response();
    Ok(response::replayed(response, replayed))
}

fn no_store(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, no_store);
    response
}
