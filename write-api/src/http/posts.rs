use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use feedmill_service::{Caller, Problem, extract::Path};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    request::{CommandBody, CommandRequest, Fields},
    response,
};
use crate::{
    app::App,
    domain::{AccountSummary, Outcome, PostCommand},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPost {
    text: String,
    reply_to: Option<String>,
}

impl NewPost {
    fn parse(self) -> Result<PostCommand, Problem> {
        let mut fields = Fields::default();
        let text = fields.take("text", self.text);
        let reply_to = match self.reply_to {
            None => Some(None),
            Some(id) => fields.take_id("reply_to", &id).map(Some),
        };
        match (text, reply_to) {
            (Some(text), Some(reply_to)) => Ok(PostCommand::Create { text, reply_to }),
            _ => Err(fields.problem()),
        }
    }
}

/// A post as the read API shows it. A new one has no likes and no replies.
#[derive(Serialize)]
struct PostView {
    id: Uuid,
    author: AccountSummary,
    text: String,
    reply_to: Option<Uuid>,
    #[serde(serialize_with = "response::time")]
    created_at: DateTime<Utc>,
    like_count: u64,
    reply_count: u64,
    liked_by_me: bool,
}

/// `POST /v1/posts`
pub async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    request: CommandBody<NewPost>,
) -> Result<Response, Problem> {
    let command = request.body.parse()?;
    let answer = app.submit(&caller, command, request.key).await?;
    let Outcome::Post {
        id,
        author,
        text,
        reply_to,
        created_at,
    } = answer.outcome.clone()
    else {
        return Err(response::mismatch(&answer));
    };
    let post = PostView {
        id,
        author,
        text,
        reply_to,
        created_at,
        like_count: 0,
        reply_count: 0,
        liked_by_me: false,
    };
    Ok(response::created(&answer, &format!("/v1/posts/{id}"), post))
}

/// `DELETE /v1/posts/{id}`
pub async fn remove(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(post): Path<Uuid>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let command = PostCommand::Delete { post };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
