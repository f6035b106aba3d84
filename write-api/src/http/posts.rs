use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use feedmill_service::{Caller, Problem, extract::Path};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    audience::AudienceView,
    patch::Patch,
    request::{CommandBody, CommandRequest, Fields},
    response,
};
use crate::{
    app::App,
    domain::{AccountSummary, Outcome, PostCommand, audience::AudienceKind},
};

/// A post to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPost {
    /// May have several lines.
    #[schema(examples("Flour!"), min_length = 1, max_length = 5_000)]
    text: String,
    /// The post that this one replies to.
    #[schema(value_type = Option<Uuid>)]
    reply_to: Option<String>,
    /// Who sees the thread; the caller's default audience if absent. A reply has the audience of its thread.
    #[schema(value_type = Option<AudienceKind>)]
    audience: Option<String>,
    /// Tags of the caller, if the audience is `tags`.
    #[schema(value_type = Option<Vec<Uuid>>, min_items = 1, max_items = 100)]
    tags: Option<Vec<String>>,
}

impl NewPost {
    fn parse(self) -> Result<PostCommand, Problem> {
        let mut fields = Fields::default();
        let text = fields.take("text", self.text);
        let place = match self.reply_to {
            None => {
                let audience = fields.take_audience(self.audience, self.tags);
                audience.map(|audience| (None, audience))
            }
            Some(id) => {
                let parent = fields.take_id("reply_to", &id);
                let has_none = fields.take_absent("audience", self.audience.as_ref())
                    & fields.take_absent("tags", self.tags.as_ref());
                parent
                    .filter(|_| has_none)
                    .map(|parent| (Some(parent), None))
            }
        };
        match (text, place) {
            (Some(text), Some((reply_to, audience))) => Ok(PostCommand::Create {
                text,
                reply_to,
                audience,
            }),
            _ => Err(fields.problem()),
        }
    }
}

/// The changes to a post. An absent member changes nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostChange {
    /// May have several lines.
    #[serde(default)]
    #[schema(value_type = String, required = false, examples("Flour!"), min_length = 1, max_length = 5_000)]
    text: Patch<String>,
}

impl PostChange {
    fn parse(self, post: Uuid) -> Result<PostCommand, Problem> {
        let mut fields = Fields::default();
        let text = fields.take_required_patch("text", self.text);
        text.map_or_else(
            || Err(fields.problem()),
            |text| Ok(PostCommand::Edit { post, text }),
        )
    }
}

/// A post or a reply, as the caller sees it.
// As the read API shows it. A new one has no likes and no replies.
#[derive(Serialize, ToSchema)]
#[schema(as = Post)]
struct PostView {
    id: Uuid,
    author: AccountSummary,
    #[schema(examples("Flour!"), max_length = 5_000)]
    text: String,
    /// The post that this one replies to. Stays when that post is deleted.
    #[schema(required = true)]
    reply_to: Option<Uuid>,
    #[serde(serialize_with = "response::time")]
    created_at: DateTime<Utc>,
    /// When the author last changed the text; `null` if never.
    #[schema(required = true)]
    edited_at: Option<DateTime<Utc>>,
    like_count: u64,
    /// Direct replies.
    reply_count: u64,
    audience: AudienceView,
    /// The tags, ascending, if the audience is `tags`.
    #[schema(required = true)]
    tags: Option<Vec<Uuid>>,
    /// Whether the caller likes it.
    liked_by_me: bool,
}

/// Publish a post or a reply
#[utoipa::path(
    post,
    path = "/v1/posts",
    operation_id = "createPost",
    tag = "Posts",
    request_body = NewPost,
    responses((status = 201, body = PostView)),
    extensions(("x-problems" = json!(["not_found", "blocked"])), ("x-quota" = json!("posts"))),
)]
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
        audience,
    } = answer.outcome.clone()
    else {
        return Err(response::mismatch(&answer));
    };
    let (audience, tags) = AudienceView::of(audience);
    let post = PostView {
        id,
        author,
        text,
        reply_to,
        created_at,
        edited_at: None,
        like_count: 0,
        reply_count: 0,
        audience,
        tags,
        liked_by_me: false,
    };
    Ok(response::created(&answer, &format!("/v1/posts/{id}"), post))
}

/// Change the text of a post of the caller
///
/// `edited_at` becomes the present time, unless the text is the same as before.
#[utoipa::path(
    patch,
    path = "/v1/posts/{id}",
    operation_id = "editPost",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post.")),
    request_body = PostChange,
    responses((status = 204)),
    extensions(("x-problems" = json!(["not_yours"])), ("x-quota" = json!("posts"))),
)]
pub async fn edit(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(post): Path<Uuid>,
    request: CommandBody<PostChange>,
) -> Result<Response, Problem> {
    let command = request.body.parse(post)?;
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}

/// Delete a post of the caller
///
/// Replies to it stay.
#[utoipa::path(
    delete,
    path = "/v1/posts/{id}",
    operation_id = "deletePost",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post.")),
    responses((status = 204)),
    extensions(("x-problems" = json!(["not_yours"]))),
)]
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
