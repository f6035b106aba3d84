use axum::{extract::State, response::Response};
use feedmill_events::event::v1::Audience;
use feedmill_service::{Caller, Problem, extract::Path};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    request::{CommandBody, Fields},
    response,
};
use crate::{
    app::App,
    domain::{
        PostCommand, ShownAudience,
        audience::{AudienceKind, MAX_TAGS, TagsError, audience},
    },
};

/// The audience of a thread, as the caller sees it. For others than the author of its root post, `tags` and `me` are `limited`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Audience)]
pub enum AudienceView {
    Public,
    Connections,
    Tags,
    Me,
    Limited,
}

impl AudienceView {
    /// The fields `audience` and `tags` of a post.
    pub fn of(shown: ShownAudience) -> (Self, Option<Vec<Uuid>>) {
        match shown {
            ShownAudience::Public => (Self::Public, None),
            ShownAudience::Connections => (Self::Connections, None),
            ShownAudience::Tags(tags) => (Self::Tags, Some(tags)),
            ShownAudience::Me => (Self::Me, None),
            ShownAudience::Limited => (Self::Limited, None),
        }
    }
}

impl Fields {
    /// The fields `audience` and `tags`. The outer None means that one of them is invalid.
    #[expect(
        clippy::option_option,
        reason = "the outer Option is removed by the caller's match"
    )]
    pub fn take_audience(
        &mut self,
        kind: Option<String>,
        tags: Option<Vec<String>>,
    ) -> Option<Option<Audience>> {
        let kind = self.take_optional("audience", kind);
        let tags = match tags {
            None => None,
            Some(tags) => Some(self.take_tags(&tags)?),
        };
        let kind: Option<AudienceKind> = kind?;
        match audience(kind, tags) {
            Ok(audience) => Some(audience),
            Err(error) => {
                self.refuse("tags", error.to_string());
                None
            }
        }
    }

    /// Refuses a field of a reply, which has the audience of its thread. True if it is absent.
    pub fn take_absent<T>(&mut self, field: &str, value: Option<&T>) -> bool {
        if value.is_some() {
            self.refuse(
                field,
                "must be absent: a reply has the audience of its thread",
            );
        }
        value.is_none()
    }

    fn take_tags(&mut self, tags: &[String]) -> Option<Vec<Uuid>> {
        // Many ids are refused by their number, without an error for each.
        if tags.len() > MAX_TAGS {
            self.refuse("tags", TagsError::Number.to_string());
            return None;
        }
        let numbered = tags.iter().enumerate();
        // Collected first, so that other invalid ids are named too.
        let ids: Vec<Option<Uuid>> = numbered
            .map(|(index, id)| self.take_id(&format!("tags[{index}]"), id))
            .collect();
        ids.into_iter().collect()
    }
}

/// The audience of a thread.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAudience {
    #[schema(value_type = AudienceKind)]
    audience: String,
    /// Tags of the caller, if the audience is `tags`.
    #[schema(value_type = Option<Vec<Uuid>>, min_items = 1, max_items = 100)]
    tags: Option<Vec<String>>,
}

impl NewAudience {
    fn parse(self) -> Result<Audience, Problem> {
        let mut fields = Fields::default();
        let audience = fields.take_audience(Some(self.audience), self.tags);
        audience.flatten().ok_or_else(|| fields.problem())
    }
}

/// Change who sees a thread
///
/// The post must be a root post of the caller; its replies have the same audience. The request also succeeds if nothing changes.
#[utoipa::path(
    put,
    path = "/v1/posts/{id}/audience",
    operation_id = "setAudience",
    tag = "Posts",
    params(("id" = Uuid, Path, description = "The post.")),
    request_body = NewAudience,
    responses((status = 204)),
    extensions(("x-problems" = json!(["not_yours", "not_a_root_post"])), ("x-quota" = json!("posts"))),
)]
pub async fn set(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(post): Path<Uuid>,
    request: CommandBody<NewAudience>,
) -> Result<Response, Problem> {
    let audience = request.body.parse()?;
    let command = PostCommand::SetAudience { post, audience };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
