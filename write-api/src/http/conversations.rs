use std::collections::BTreeSet;

use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
pub struct NewConversation {
    members: Vec<String>,
    title: Option<String>,
}

impl NewConversation {
    fn parse(self, creator: Uuid) -> Result<Command, Problem> {
        let mut fields = Fields::default();
        let title = fields.take_optional("title", self.title);
        let numbered = self.members.iter().enumerate();
        // Through a vector, so that every id that is none is named and not only the first.
        let members: Vec<Option<Uuid>> = numbered
            .map(|(index, id)| fields.take_id(&format!("members[{index}]"), id))
            .collect();
        match (
            members.into_iter().collect::<Option<BTreeSet<Uuid>>>(),
            title,
        ) {
            (Some(members), Some(title)) => Ok(Command::StartConversation {
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
    members: Vec<CardView>,
}

/// `POST /v1/conversations`
pub async fn create(
    State(app): State<App>,
    Caller(who): Caller,
    request: Told<NewConversation>,
) -> Result<Response, Problem> {
    let command = request.body.parse(who.account)?;
    let answer = app.submit(&who, command, request.key).await?;
    let Outcome::Conversation {
        id,
        title,
        members,
        created,
    } = answer.outcome.clone()
    else {
        return Err(respond::mismatch(&answer));
    };
    let members = members.into_iter().map(CardView::from).collect();
    let conversation = ConversationView { id, title, members };
    Ok(if created {
        respond::created(&answer, &format!("/v1/conversations/{id}"), conversation)
    } else {
        respond::ok(&answer, conversation)
    })
}
