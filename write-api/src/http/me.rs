use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem};
use serde::{Deserialize, Serialize};

use super::{
    request::{Fields, Told},
    respond::{self, CardView},
};
use crate::{
    domain::{Command, Outcome},
    state::App,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    handle: Option<String>,
    display_name: Option<String>,
    bio: Option<String>,
}

impl ProfileChange {
    fn parse(self) -> Result<Command, Problem> {
        let mut fields = Fields::default();
        let handle = fields.take_optional("handle", self.handle);
        let display_name = fields.take_optional("display_name", self.display_name);
        let bio = fields.take_optional("bio", self.bio);
        match (handle, display_name, bio) {
            (Some(handle), Some(display_name), Some(bio)) => Ok(Command::ChangeProfile {
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
    card: CardView,
    bio: String,
}

/// `PATCH /v1/me`
pub async fn change(
    State(app): State<App>,
    Caller(who): Caller,
    request: Told<ProfileChange>,
) -> Result<Response, Problem> {
    let command = request.body.parse()?;
    let answer = app.submit(&who, command, request.key).await?;
    let Outcome::Account { card, bio } = &answer.outcome else {
        return Err(respond::mismatch(&answer));
    };
    Ok(respond::ok(
        &answer,
        ProfileView {
            card: card.clone().into(),
            bio: bio.clone(),
        },
    ))
}
