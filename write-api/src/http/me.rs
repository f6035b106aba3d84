use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    patch::Patch,
    request::{CommandBody, Fields},
    response,
};
use crate::{
    app::App,
    domain::{AccountCommand, AccountSummary, Outcome},
};

/// What is to change. An absent member changes nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    /// Letters a to z, digits and underscores. The old handle stays with the account for 30 days.
    #[serde(default)]
    #[schema(value_type = String, required = false, min_length = 2, max_length = 30, pattern = "^[A-Za-z0-9_]{2,30}$")]
    handle: Patch<String>,
    /// A single line.
    #[serde(default)]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100)]
    display_name: Patch<String>,
    /// `null` clears it.
    #[serde(default)]
    #[schema(value_type = Option<String>, examples("I grind."), max_length = 500)]
    bio: Patch<String>,
}

impl ProfileChange {
    fn parse(self) -> Result<AccountCommand, Problem> {
        let mut fields = Fields::default();
        let handle = fields.take_required_patch("handle", self.handle);
        let display_name = fields.take_required_patch("display_name", self.display_name);
        let bio = fields.take_clearable_patch("bio", self.bio);
        match (handle, display_name, bio) {
            (Some(handle), Some(display_name), Some(bio)) => Ok(AccountCommand::ChangeProfile {
                handle,
                display_name,
                bio,
            }),
            _ => Err(fields.problem()),
        }
    }
}

/// What an account tells of itself.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedProfile)]
struct ProfileView {
    #[serde(flatten)]
    account: AccountSummary,
    /// May be empty.
    #[schema(examples("I grind."), max_length = 500)]
    bio: String,
}

/// Change the caller's profile
#[utoipa::path(
    patch,
    path = "/v1/me",
    operation_id = "changeProfile",
    tag = "Accounts",
    request_body = ProfileChange,
    responses((status = 200, body = ProfileView)),
    extensions(("x-problems" = json!(["handle_taken"])), ("x-quota" = json!("profile"))),
)]
pub async fn change(
    State(app): State<App>,
    Caller(caller): Caller,
    request: CommandBody<ProfileChange>,
) -> Result<Response, Problem> {
    let command = request.body.parse()?;
    let answer = app.submit(&caller, command, request.key).await?;
    let Outcome::Account { account, bio } = answer.outcome.clone() else {
        return Err(response::mismatch(&answer));
    };
    Ok(response::ok(&answer, ProfileView { account, bio }))
}
