use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use feedmill_service::Problem;
use serde::Deserialize;

use super::{
    request::{CommandBody, Fields, LocalOnly, local},
    response,
};
use crate::{
    app::App,
    domain::{GivenPassword, Handle},
    session::Granted,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    handle: String,
    password: String,
}

impl Credentials {
    fn parse(self) -> Result<(Handle, GivenPassword), Problem> {
        let mut fields = Fields::default();
        let handle = fields.take("handle", self.handle);
        let password = fields.take("password", self.password);
        match (handle, password) {
            (Some(handle), Some(password)) => Ok((handle, password)),
            _ => Err(fields.problem()),
        }
    }
}

/// `POST /v1/sessions`
pub async fn create(
    State(app): State<App>,
    _: LocalOnly,
    request: CommandBody<Credentials>,
) -> Result<Response, Problem> {
    let (handle, password) = request.body.parse()?;
    let sessions = &local(&app)?.sessions;
    let granted = sessions
        .open(&handle, password, request.key.as_ref(), app.clock().now())
        .await?;
    Ok(created(granted))
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
    let granted = sessions
        .refresh(token, request.key.as_ref(), app.clock().now())
        .await?;
    Ok(created(granted))
}

/// Tokens must not be cached (RFC 6749, section 5.1).
fn created(Granted { tokens, replayed }: Granted) -> Response {
    let mut response = (StatusCode::CREATED, Json(tokens)).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response::replayed(response, replayed)
}
