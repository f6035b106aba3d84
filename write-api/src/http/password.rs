use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use feedmill_service::{Caller, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    request::{CommandBody, Fields, LocalOnly, local},
    response,
};
use crate::{app::App, client::Client, quota::Quota, session::PasswordChange};

/// The old and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    #[schema(min_length = 1, max_length = 1_024, format = Password)]
    current_password: String,
    /// Not the handle, and not one of the 10,000 most common passwords.
    #[schema(min_length = 8, max_length = 200, format = Password)]
    new_password: String,
}

impl NewPassword {
    fn parse(self) -> Result<PasswordChange, Problem> {
        let mut fields = Fields::default();
        let current = fields.take("current_password", self.current_password);
        let new = fields.take("new_password", self.new_password);
        match (current, new) {
            (Some(current), Some(new)) => Ok(PasswordChange { current, new }),
            _ => Err(fields.problem()),
        }
    }
}

/// Change the caller's password
///
/// Ends all sessions of the account but the current one.
#[utoipa::path(
    put,
    path = "/v1/me/password",
    operation_id = "changePassword",
    tag = "Sessions",
    request_body = NewPassword,
    responses((status = 204)),
    extensions(("x-problems" = json!(["external_identity", "wrong_password", "too_many_attempts"])), ("x-quota" = json!("profile"))),
)]
pub async fn change(
    State(app): State<App>,
    _: LocalOnly,
    Caller(caller): Caller,
    request: CommandBody<NewPassword>,
) -> Result<Response, Problem> {
    let passwords = request.body.parse()?;
    let (key, now) = (request.key.as_ref(), app.clock().now());
    let sessions = &local(&app)?.sessions;
    let reserved = app.reserve(Quota::Profile, Client::Known(caller.account))?;
    let replayed = sessions
        .change_password(caller.account, caller.session, passwords, key, now)
        .await?;
    let response = StatusCode::NO_CONTENT.into_response();
    let quota = app.count(reserved, replayed);
    Ok(response::with_quota(
        response::replayed(response, replayed),
        quota,
    ))
}
