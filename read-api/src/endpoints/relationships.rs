//! `/v1/relationships`.

use axum::extract::{RawQuery, State};
use feedmill_events::Tag;
use feedmill_service::FieldError;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Result;
use crate::{
    cache::{answer::Answer, answers::Key},
    error::Error,
    http::{request_context::RequestContext, respond::respond},
    sql,
    state::AppState,
    views::Relationship,
};

/// The most accounts that one request can name.
const MAX_IDS: usize = 100;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "for the API description; the handler parses them itself"
)]
struct RelationshipQuery {
    /// An account. Repeat the parameter for more than one.
    #[param(required = false, style = Form, explode = true, max_items = 100)]
    id: Vec<Uuid>,
}

/// The relationships with the accounts that exist, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
struct Relationships {
    #[schema(max_items = 100)]
    items: Vec<Relationship>,
}

/// Get the caller's relationships with accounts
///
/// `?id=…&id=…`, each account once. An account that does not exist for the caller is left out.
#[utoipa::path(
    get,
    path = "/v1/relationships",
    operation_id = "getRelationships",
    tag = "Connections",
    params(RelationshipQuery),
    responses((status = 200, body = Relationships)),
)]
pub async fn read(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let ids = parse(query.as_deref().unwrap_or_default())?;
    let texts: Vec<String> = ids.iter().map(|id| format!("id={id}")).collect();
    let path = format!("/v1/relationships?{}", texts.join("&"));
    let load = || async {
        let items = sql::relationships::of(&state.database, viewer, &ids).await?;
        let own = [
            Tag::followers(viewer),
            Tag::following(viewer),
            Tag::connections(viewer),
            Tag::requests_received(viewer),
            Tag::requests_sent(viewer),
            Tag::mutes(viewer),
            Tag::blocks(viewer),
            Tag::access(viewer),
        ];
        let accounts = ids.iter().copied().map(Tag::account_summary);
        Ok(Answer::new(&Relationships { items })?.depending_on(accounts.chain(own)))
    };
    respond(
        &state.caches.answers,
        &context,
        Key::new(viewer, path),
        load,
    )
    .await
}

/// The ids of the query, each once. They are counted before they are parsed.
fn parse(query: &str) -> std::result::Result<Vec<Uuid>, Error> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let texts: Vec<_> = pairs.filter(|(name, _)| name == "id").collect();
    if texts.len() > MAX_IDS {
        let message = format!("is given more than {MAX_IDS} times");
        return Err(Error::Parameters(vec![FieldError::new("id", message)]));
    }
    let mut ids = Vec::with_capacity(texts.len());
    for (_, text) in texts {
        let id: Uuid = text.parse().map_err(|_| {
            let message = "must be the id of an account".to_owned();
            Error::Parameters(vec![FieldError::new("id", message)])
        })?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}
