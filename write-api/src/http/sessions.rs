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
use utoipa::ToSchema;
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
    session::{Granted, LiveSession, SessionError, SignIn, Tokens, Which},
};

/// What somebody signs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// In upper or lower case.
    #[schema(
        examples("miller"),
        min_length = 2,
        max_length = 30,
        pattern = "^[A-Za-z0-9_]{2,30}$"
    )]
    handle: String,
    #[schema(examples("stone and water"), min_length = 1, max_length = 1_024, format = Password)]
    password: String,
    /// What the client calls the device, for the list of sessions. A single line.
    #[schema(examples("The mill's tablet"), min_length = 1, max_length = 100)]
    device_name: Option<String>,
    /// Of an earlier sign-in to the same account. It has attempts of its own. One that is not valid is ignored.
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

/// Sign in
#[utoipa::path(
    post,
    path = "/v1/sessions",
    operation_id = "createSession",
    tag = "Sessions",
    request_body = Credentials,
    responses((status = 201, body = Tokens)),
    security(()),
    extensions(("x-problems" = json!(["external_identity", "wrong_credentials", "session_ended", "too_many_attempts"])), ("x-quota" = json!("sign_ins"))),
)]
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

/// What a session is continued with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    refresh_token: String,
}

/// Exchange a refresh token
///
/// It works once. For ten seconds, the token that was used last gets the same answer again; a used one that comes later ends
/// the session. The answer has no `device_token`.
#[utoipa::path(
    post,
    path = "/v1/sessions/refresh",
    operation_id = "refreshSession",
    tag = "Sessions",
    request_body = Refresh,
    responses((status = 201, body = Tokens)),
    security(()),
    extensions(("x-problems" = json!(["external_identity", "dead_token"])), ("x-quota" = json!("refreshes"))),
)]
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

/// Where an account is signed in.
#[derive(Serialize, ToSchema)]
struct SessionList {
    /// Latest use first.
    #[schema(max_items = 100)]
    items: Vec<SessionView>,
}

/// A session of the caller.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct SessionView {
    id: Uuid,
    #[serde(serialize_with = "response::time")]
    created_at: DateTime<Utc>,
    /// When its tokens were last issued.
    #[serde(serialize_with = "response::time")]
    last_used_at: DateTime<Utc>,
    /// As the client gave it when it signed in.
    #[schema(required = true, max_length = 100)]
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

/// List the caller's sessions
///
/// The 100 that were used last.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    operation_id = "listSessions",
    tag = "Sessions",
    responses((status = 200, body = SessionList)),
    extensions(("x-problems" = json!(["external_identity"]))),
)]
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

/// End a session of the caller
///
/// The request also succeeds if the session has already ended.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{id}",
    operation_id = "endSession",
    tag = "Sessions",
    params(("id" = Uuid, Path, description = "The session.")),
    responses((status = 204)),
    extensions(("x-problems" = json!(["external_identity"]))),
)]
pub async fn end(
    State(app): State<App>,
    _: LocalOnly,
    Caller(caller): Caller,
    Path(session): Path<Uuid>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    finish(&app, caller.account, Which::One(session), request).await
}

/// Sign out
///
/// Ends the session of the access token. 404 if the token belongs to none.
#[utoipa::path(
    delete,
    path = "/v1/sessions/current",
    operation_id = "endCurrentSession",
    tag = "Sessions",
    responses((status = 204)),
    extensions(("x-problems" = json!(["external_identity", "not_found"]))),
)]
pub async fn end_current(
    State(app): State<App>,
    _: LocalOnly,
    Caller(caller): Caller,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let session = caller.session.ok_or(SessionError::NotFound)?;
    finish(&app, caller.account, Which::One(session), request).await
}

/// End all other sessions of the caller
#[utoipa::path(
    delete,
    path = "/v1/sessions",
    operation_id = "endOtherSessions",
    tag = "Sessions",
    responses((status = 204)),
    extensions(("x-problems" = json!(["external_identity"]))),
)]
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
