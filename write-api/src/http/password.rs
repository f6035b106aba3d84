use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use feedmill_service::{Caller, Problem};
use serde::Deserialize;

use super::{
    request::{CommandBody, Fields, LocalOnly, local},
    response,
};
use crate::{app::App, client::Client, quota::Quota, session::PasswordChange};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    current_password: String,
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

/// `PUT /v1/me/password`: ends the account's other sessions.
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
