use std::collections::BTreeSet;

use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem, extract::Path};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    patch::Patch,
    request::{CommandBody, CommandRequest, Fields},
    response,
};
use crate::{
    app::App,
    domain::{AccountSummary, ConversationCommand, Outcome, conversation::MAX_MEMBERS},
};

/// A conversation to start.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConversation {
    /// The other members; the caller may be named, too. With the caller, at least 2 and at most 100.
    #[schema(value_type = Vec<Uuid>, min_items = 1, max_items = 100)]
    members: Vec<String>,
    /// A single line.
    #[schema(examples("The mill"), min_length = 1, max_length = 100)]
    title: Option<String>,
}

impl NewConversation {
    fn parse(self, creator: Uuid) -> Result<ConversationCommand, Problem> {
        if self.members.len() > MAX_MEMBERS {
            let message = format!("must have at most {MAX_MEMBERS} ids");
            return Err(Problem::field("members", message));
        }
        let mut fields = Fields::default();
        let title = fields.take_optional("title", self.title);
        let numbered = self.members.iter().enumerate();
        // Collected first, so that other invalid ids are named too.
        let members: Vec<Option<Uuid>> = numbered
            .map(|(index, id)| fields.take_id(&format!("members[{index}]"), id))
            .collect();
        let members: Option<BTreeSet<Uuid>> = members.into_iter().collect();
        match (members, title) {
            (Some(members), Some(title)) => Ok(ConversationCommand::Start {
                members,
                title,
                creator: Some(creator),
            }),
            _ => Err(fields.problem()),
        }
    }
}

/// A conversation that was started.
#[derive(Serialize, ToSchema)]
#[schema(as = StartedConversation)]
struct ConversationView {
    id: Uuid,
    #[schema(required = true, max_length = 100)]
    title: Option<String>,
    /// All members, the caller too, ordered by id.
    #[schema(min_items = 2, max_items = 100)]
    members: Vec<AccountSummary>,
}

/// Start a conversation
///
/// Two people have one conversation: if they have it already, the answer is 200 with it. An account may accept only conversations
/// with accounts that it is connected with (`who_may_message`); for others, the answer is 403.
#[utoipa::path(
    post,
    path = "/v1/conversations",
    operation_id = "createConversation",
    tag = "Conversations",
    request_body = NewConversation,
    responses(
        (status = 201, body = ConversationView),
        (status = 200, body = ConversationView, description = "The conversation that the two members already have."),
    ),
    extensions(
        ("x-problems" = json!(["not_found", "blocked", "messages_not_accepted"])),
        ("x-quota" = json!("conversations")),
    ),
)]
pub async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    request: CommandBody<NewConversation>,
) -> Result<Response, Problem> {
    let command = request.body.parse(caller.account)?;
    let answer = app.submit(&caller, command, request.key).await?;
    let Outcome::Conversation {
        id,
        title,
        members,
        created,
    } = answer.outcome.clone()
    else {
        return Err(response::mismatch(&answer));
    };
    let conversation = ConversationView { id, title, members };
    Ok(if created {
        response::created(&answer, &format!("/v1/conversations/{id}"), conversation)
    } else {
        response::ok(&answer, conversation)
    })
}

/// The new title.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationChange {
    /// A single line. `null` removes the title.
    #[serde(default)]
    #[schema(value_type = Option<String>, required = true, examples("The mill"), min_length = 1, max_length = 100)]
    title: Patch<String>,
}

impl ConversationChange {
    fn parse(self, conversation: Uuid) -> Result<ConversationCommand, Problem> {
        let mut fields = Fields::default();
        let title = match self.title {
            Patch::Absent => {
                fields.refuse("title", "is missing");
                None
            }
            Patch::Null => Some(None),
            Patch::Value(title) => fields.take("title", title).map(Some),
        };
        let title = title.ok_or_else(|| fields.problem())?;
        Ok(ConversationCommand::Rename {
            conversation,
            title,
        })
    }
}

/// Rename a group
///
/// Any member can rename a group. The title of a conversation of two people never changes: the answer is 409.
#[utoipa::path(
    patch,
    path = "/v1/conversations/{id}",
    operation_id = "renameConversation",
    tag = "Conversations",
    params(("id" = Uuid, Path, description = "The conversation.")),
    request_body = ConversationChange,
    responses((status = 204)),
    extensions(("x-problems" = json!(["conversation_of_two"])), ("x-quota" = json!("conversations"))),
)]
pub async fn rename(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(conversation): Path<Uuid>,
    request: CommandBody<ConversationChange>,
) -> Result<Response, Problem> {
    let command = request.body.parse(conversation)?;
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}

/// Mute a conversation
///
/// The unread messages of a muted conversation do not count in the caller's `unread_total`. Other members are not affected. The
/// request also succeeds if the conversation is already muted.
#[utoipa::path(
    put,
    path = "/v1/conversations/{id}/mute",
    operation_id = "muteConversation",
    tag = "Conversations",
    params(("id" = Uuid, Path, description = "The conversation.")),
    responses((status = 204)),
    extensions(("x-quota" = json!("marks"))),
)]
pub async fn mute(
    conversation: (State<App>, Caller, Path<Uuid>),
    request: CommandRequest,
) -> Result<Response, Problem> {
    set_muted(conversation, request, true).await
}

/// Unmute a conversation
///
/// The request also succeeds if the conversation is not muted, or does not exist.
#[utoipa::path(
    delete,
    path = "/v1/conversations/{id}/mute",
    operation_id = "unmuteConversation",
    tag = "Conversations",
    params(("id" = Uuid, Path, description = "The conversation.")),
    responses((status = 204)),
)]
pub async fn unmute(
    conversation: (State<App>, Caller, Path<Uuid>),
    request: CommandRequest,
) -> Result<Response, Problem> {
    set_muted(conversation, request, false).await
}

async fn set_muted(
    (State(app), Caller(caller), Path(conversation)): (State<App>, Caller, Path<Uuid>),
    request: CommandRequest,
    muted: bool,
) -> Result<Response, Problem> {
    let command = ConversationCommand::SetMuted {
        conversation,
        muted,
    };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
