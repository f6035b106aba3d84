use axum::{extract::State, response::Response};
use feedmill_service::{Caller, Problem, extract::Path};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    request::{CommandBody, CommandRequest, Fields},
    response,
};
use crate::{
    app::App,
    domain::{Outcome, TagCommand, TagName},
    lane::Answer,
};

/// The name of a tag.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTag {
    /// A single line. No other tag of the caller may have this name.
    #[schema(examples("family"), min_length = 1, max_length = 100)]
    name: String,
}

impl NewTag {
    fn parse(self) -> Result<TagName, Problem> {
        let mut fields = Fields::default();
        let name = fields.take("name", self.name);
        name.ok_or_else(|| fields.problem())
    }
}

/// A tag of the caller.
#[derive(Serialize, ToSchema)]
#[schema(as = NamedTag)]
struct TagView {
    id: Uuid,
    #[schema(examples("family"), max_length = 100)]
    name: String,
}

fn view(answer: &Answer) -> Result<TagView, Problem> {
    match answer.outcome.clone() {
        Outcome::Tag { id, name } => Ok(TagView { id, name }),
        _ => Err(response::mismatch(answer)),
    }
}

/// Create a tag
///
/// A tag is a private label for people whom the caller is connected with. Only the caller can see it. An account can have at most
/// 100 tags, unless the operator sets another number.
#[utoipa::path(
    post,
    path = "/v1/tags",
    operation_id = "createTag",
    tag = "Tags",
    request_body = NewTag,
    responses((status = 201, body = TagView)),
    extensions(("x-problems" = json!(["tag_exists", "too_many_tags"])), ("x-quota" = json!("tags"))),
)]
pub async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    request: CommandBody<NewTag>,
) -> Result<Response, Problem> {
    let command = TagCommand::Create {
        name: request.body.parse()?,
        limits: app.tag_limits(),
    };
    let answer = app.submit(&caller, command, request.key).await?;
    let tag = view(&answer)?;
    let location = format!("/v1/tags/{}", tag.id);
    Ok(response::created(&answer, &location, tag))
}

/// Rename a tag
#[utoipa::path(
    patch,
    path = "/v1/tags/{id}",
    operation_id = "renameTag",
    tag = "Tags",
    params(("id" = Uuid, Path, description = "The tag.")),
    request_body = NewTag,
    responses((status = 200, body = TagView)),
    extensions(("x-problems" = json!(["tag_exists"])), ("x-quota" = json!("tags"))),
)]
pub async fn rename(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(tag): Path<Uuid>,
    request: CommandBody<NewTag>,
) -> Result<Response, Problem> {
    let name = request.body.parse()?;
    let command = TagCommand::Rename { tag, name };
    let answer = app.submit(&caller, command, request.key).await?;
    let tag = view(&answer)?;
    Ok(response::ok(&answer, tag))
}

/// Delete a tag
///
/// The request also succeeds if there is no such tag.
#[utoipa::path(
    delete,
    path = "/v1/tags/{id}",
    operation_id = "deleteTag",
    tag = "Tags",
    params(("id" = Uuid, Path, description = "The tag.")),
    responses((status = 204)),
)]
pub async fn remove(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(tag): Path<Uuid>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let command = TagCommand::Delete { tag };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}

/// Add a member to a tag
///
/// The caller must be connected with the account. The membership ends when the connection ends. The request also succeeds if the
/// account is already a member.
#[utoipa::path(
    put,
    path = "/v1/tags/{id}/members/{user}",
    operation_id = "addTagMember",
    tag = "Tags",
    params(
        ("id" = Uuid, Path, description = "The tag."),
        ("user" = Uuid, Path, description = "The account."),
    ),
    responses((status = 204)),
    extensions(
        ("x-problems" = json!(["blocked", "not_connected", "too_many_tag_members"])),
        ("x-quota" = json!("tags")),
    ),
)]
pub async fn add_member(
    State(app): State<App>,
    Caller(caller): Caller,
    Path((tag, member)): Path<(Uuid, Uuid)>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let command = TagCommand::AddMember {
        tag,
        member,
        limits: app.tag_limits(),
    };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}

/// Remove a member from a tag
///
/// The request also succeeds if the account is not a member, or the tag does not exist.
#[utoipa::path(
    delete,
    path = "/v1/tags/{id}/members/{user}",
    operation_id = "removeTagMember",
    tag = "Tags",
    params(
        ("id" = Uuid, Path, description = "The tag."),
        ("user" = Uuid, Path, description = "The account."),
    ),
    responses((status = 204)),
)]
pub async fn remove_member(
    State(app): State<App>,
    Caller(caller): Caller,
    Path((tag, member)): Path<(Uuid, Uuid)>,
    request: CommandRequest,
) -> Result<Response, Problem> {
    let command = TagCommand::RemoveMember { tag, member };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
