use axum::{extract::State, response::Response};
use feedmill_service::Problem;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    request::{CommandBody, Fields, LocalOnly, Stranger, local},
    response,
};
use crate::{
    app::App,
    domain::{
        AccountCommand, AccountSummary, ChosenHandle, DisplayName, Handle, Outcome, Password,
    },
    quota::Quota,
    session::SignUp,
};

/// Who signs up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Letters a to z, digits and underscores. Upper case is converted to lower case. Some names are reserved.
    #[schema(
        examples("miller"),
        min_length = 2,
        max_length = 30,
        pattern = "^[A-Za-z0-9_]{2,30}$"
    )]
    handle: String,
    /// A single line.
    #[schema(examples("The Miller"), min_length = 1, max_length = 100)]
    display_name: String,
    /// Not the handle, and not one of the 10,000 most common passwords.
    #[schema(examples("stone and water"), min_length = 8, max_length = 200, format = Password)]
    password: String,
}

impl NewAccount {
    fn parse(self) -> Result<(Handle, DisplayName, Password), Problem> {
        let mut fields = Fields::default();
        let handle = fields.take("handle", self.handle);
        let display_name = fields.take("display_name", self.display_name);
        let password = fields.take("password", self.password);
        let (Some(ChosenHandle(handle)), Some(display_name), Some(password)) =
            (handle, display_name, password)
        else {
            return Err(fields.problem());
        };
        let password: Password = password;
        if password.is_handle(handle.as_str()) {
            return Err(Problem::field("password", "must not be the handle"));
        }
        Ok((handle, display_name, password))
    }
}

/// Sign up
///
/// Without a token. An `Idempotency-Key` belongs to the whole request here: with another body, it is another request.
#[utoipa::path(
    post,
    path = "/v1/accounts",
    operation_id = "createAccount",
    tag = "Accounts",
    request_body = NewAccount,
    responses((status = 201, body = AccountSummary)),
    security(()),
    extensions(("x-problems" = json!(["external_identity", "handle_taken"])), ("x-quota" = json!("sign_ups"))),
)]
pub async fn create(
    State(app): State<App>,
    _: LocalOnly,
    Stranger(client): Stranger,
    request: CommandBody<NewAccount>,
) -> Result<Response, Problem> {
    let (handle, display_name, password) = request.body.parse()?;
    let sign_up = SignUp {
        handle: &handle,
        password,
        key: request.key.as_ref(),
        client,
    };
    let sessions = &local(&app)?.sessions;
    let reserved = app.reserve(Quota::SignUps, client)?;
    let password_hash = sessions
        .hash_for_sign_up(sign_up, app.clock().now())
        .await?;
    let command = AccountCommand::Create {
        account: None,
        handle,
        display_name,
        password_hash: Some(password_hash),
    };
    let answer = app.submit_anonymous(command, request.key, reserved).await?;
    let Outcome::Account { account, .. } = &answer.outcome else {
        return Err(response::mismatch(&answer));
    };
    let location = format!("/v1/users/{}", account.id);
    Ok(response::created(&answer, &location, account))
}
