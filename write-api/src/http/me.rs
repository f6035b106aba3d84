use axum::{extract::State, response::Response};
use feedmill_events::event::v1::{Audience, WhoMayMessage};
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
    domain::{AccountChange, AccountCommand, AccountSummary, Outcome, Settings},
};

/// The audience of the account's root posts that name none.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DefaultAudience {
    Public,
    Connections,
    Me,
}

impl TryFrom<String> for DefaultAudience {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match &*name {
            "public" => Ok(Self::Public),
            "connections" => Ok(Self::Connections),
            "me" => Ok(Self::Me),
            _ => Err("must be public, connections or me"),
        }
    }
}

impl From<DefaultAudience> for Audience {
    fn from(audience: DefaultAudience) -> Self {
        match audience {
            DefaultAudience::Public => Self::Public,
            DefaultAudience::Connections => Self::Connections,
            DefaultAudience::Me => Self::Me,
        }
    }
}

impl From<Audience> for DefaultAudience {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::Public => Self::Public,
            Audience::Connections => Self::Connections,
            // The default is never tags.
            Audience::Me | Audience::Tags(_) => Self::Me,
        }
    }
}

/// Who can start a conversation with the account, or add it to a group.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WhoMayMessage)]
enum WhoMayMessageView {
    Everyone,
    Connections,
}

impl TryFrom<String> for WhoMayMessageView {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match &*name {
            "everyone" => Ok(Self::Everyone),
            "connections" => Ok(Self::Connections),
            _ => Err("must be everyone or connections"),
        }
    }
}

impl From<WhoMayMessageView> for WhoMayMessage {
    fn from(who: WhoMayMessageView) -> Self {
        match who {
            WhoMayMessageView::Everyone => Self::Everyone,
            WhoMayMessageView::Connections => Self::Connections,
        }
    }
}

impl From<WhoMayMessage> for WhoMayMessageView {
    fn from(who: WhoMayMessage) -> Self {
        match who {
            WhoMayMessage::Everyone => Self::Everyone,
            WhoMayMessage::Connections => Self::Connections,
        }
    }
}

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
    #[serde(default)]
    #[schema(value_type = DefaultAudience, required = false)]
    default_audience: Patch<String>,
    #[serde(default)]
    #[schema(value_type = WhoMayMessageView, required = false)]
    who_may_message: Patch<String>,
}

impl ProfileChange {
    fn parse(self) -> Result<AccountCommand, Problem> {
        let mut fields = Fields::default();
        let handle = fields.take_required_patch("handle", self.handle);
        let display_name = fields.take_required_patch("display_name", self.display_name);
        let bio = fields.take_clearable_patch("bio", self.bio);
        let audience = fields.take_required_patch("default_audience", self.default_audience);
        let audience = audience.map(|audience| audience.map(DefaultAudience::into));
        let who = fields.take_required_patch("who_may_message", self.who_may_message);
        let who = who.map(|who| who.map(WhoMayMessageView::into));
        match (handle, display_name, bio, audience, who) {
            (
                Some(handle),
                Some(display_name),
                Some(bio),
                Some(default_audience),
                Some(who_may_message),
            ) => Ok(AccountCommand::ChangeProfile(AccountChange {
                handle,
                display_name,
                bio,
                default_audience,
                who_may_message,
            })),
            _ => Err(fields.problem()),
        }
    }
}

/// What an account tells of itself, and its settings.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedProfile)]
struct ProfileView {
    #[serde(flatten)]
    account: AccountSummary,
    /// May be empty.
    #[schema(examples("I grind."), max_length = 500)]
    bio: String,
    default_audience: DefaultAudience,
    who_may_message: WhoMayMessageView,
}

/// Change the caller's profile and settings
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
    let Outcome::Account {
        account,
        bio,
        settings,
    } = answer.outcome.clone()
    else {
        return Err(response::mismatch(&answer));
    };
    let Settings {
        default_audience,
        who_may_message,
    } = settings;
    let profile = ProfileView {
        account,
        bio,
        default_audience: default_audience.into(),
        who_may_message: who_may_message.into(),
    };
    Ok(response::ok(&answer, profile))
}
