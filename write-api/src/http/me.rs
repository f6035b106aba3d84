use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem};
use serde::{Deserialize, Serialize};

use super::{
    patch::Patch,
    request::{CommandBody, Fields},
    response,
};
use crate::{
    app::App,
    domain::{AccountCommand, AccountSummary, Outcome},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    #[serde(default)]
    handle: Patch<String>,
    #[serde(default)]
    display_name: Patch<String>,
    #[serde(default)]
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

#[derive(Serialize)]
struct ProfileView {
    #[serde(flatten)]
    account: AccountSummary,
    bio: String,
}

/// `PATCH /v1/me`
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
