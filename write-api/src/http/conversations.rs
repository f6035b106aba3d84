use std::collections::BTreeSet;

use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    request::{CommandBody, Fields},
    response,
};
use crate::{
    app::App,
    domain::{AccountSummary, ConversationCommand, Outcome, conversation::MAX_MEMBERS},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewConversation {
    members: Vec<String>,
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

#[derive(Serialize)]
struct ConversationView {
    id: Uuid,
    title: Option<String>,
    members: Vec<AccountSummary>,
}

/// `POST /v1/conversations`: 201, or 200 for the conversation that the two members already have.
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
