//! `/v1/conversations…`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Result;
use crate::{
    cache::{answer::Answer, answers::Key},
    error::Error,
    http::{
        page::{PageQuery, PageRequest},
        request_context::RequestContext,
        respond::respond,
    },
    sql,
    state::AppState,
    views::{ConversationPage, ConversationWithMarks, Message, MessagePage},
};

/// A page of the caller's conversations, and how many there are.
#[derive(Debug, Serialize, ToSchema)]
struct Inbox {
    #[serde(flatten)]
    page: ConversationPage,
    /// How many conversations there are on all pages.
    #[schema(minimum = 0)]
    total: i64,
    /// How many messages are unread in the conversations of all pages that are not muted.
    #[schema(minimum = 0)]
    unread_total: i64,
}

/// List the caller's conversations
///
/// Latest activity first: the time of the last message, or while there is none for the caller, of the conversation or of the
/// caller's addition to it.
#[utoipa::path(
    get,
    path = "/v1/conversations",
    operation_id = "listConversations",
    tag = "Conversations",
    params(PageQuery),
    responses((status = 200, body = Inbox)),
)]
pub async fn page(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let request = PageRequest::new(&state.cursors, "/v1/conversations", viewer, &page)?;
    let load = || async {
        let (seek, rows) = (request.seek(), request.rows());
        let list = sql::conversations::page(&state.database, viewer, seek, rows).await?;
        // The list, and the members' names.
        let members = list
            .listed
            .iter()
            .flat_map(|listed| &listed.conversation.members)
            .map(|member| Tag::account_summary(member.id));
        let mut tags = vec![Tag::conversations(viewer), Tag::access(viewer)];
        tags.extend(members);
        let (page, link) = request.page(list.listed, |listed| listed.activity);
        let inbox = Inbox {
            page: page.map(|listed| listed.conversation),
            total: list.total,
            unread_total: list.unread_total,
        };
        Answer::page(&inbox, link, tags)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}

/// Get a conversation
///
/// For its members, with their read marks.
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}",
    operation_id = "getConversation",
    tag = "Conversations",
    params(("id" = Uuid, Path, description = "The conversation.")),
    responses((status = 200, body = ConversationWithMarks)),
)]
pub async fn one(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    context: RequestContext,
) -> Result {
    let key = Key::new(context.viewer, format!("/v1/conversations/{id}"));
    let load = || async {
        let conversation = sql::conversations::one(&state.database, context.viewer, id)
            .await?
            .ok_or(Error::NotFound("conversation"))?;
        let members = conversation.members.iter();
        let members = members.map(|member| Tag::account_summary(member.account.id));
        let tags = [
            Tag::conversation(id),
            Tag::messages(id),
            Tag::read_marks(id),
            Tag::muted_conversations(context.viewer),
            Tag::access(context.viewer),
        ];
        Ok(Answer::new(&conversation)?.depending_on(tags.into_iter().chain(members)))
    };
    respond(&state.caches.answers, &context, key, load).await
}

/// Get a message
///
/// For the members of its conversation, unless they were added after it.
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/messages/{message}",
    operation_id = "getMessage",
    tag = "Conversations",
    params(
        ("id" = Uuid, Path, description = "The conversation."),
        ("message" = Uuid, Path, description = "The message."),
    ),
    responses((status = 200, body = Message)),
)]
pub async fn message(
    State(state): State<AppState>,
    Path((id, message)): Path<(Uuid, Uuid)>,
    context: RequestContext,
) -> Result {
    let path = format!("/v1/conversations/{id}/messages/{message}");
    let key = Key::new(context.viewer, path);
    let load = || async {
        let message = sql::conversations::message(&state.database, context.viewer, id, message)
            .await?
            .ok_or(Error::NotFound("message"))?;
        let tags = [Tag::conversation(id), Tag::messages(id)];
        Ok(Answer::new(&message)?.depending_on(tags))
    };
    respond(&state.caches.answers, &context, key, load).await
}

/// List the messages of a conversation
///
/// For its members, newest first. Who was added later sees what was written from then on.
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/messages",
    operation_id = "listMessages",
    tag = "Conversations",
    params(("id" = Uuid, Path, description = "The conversation."), PageQuery),
    responses((status = 200, body = MessagePage)),
)]
pub async fn messages(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
    context: RequestContext,
) -> Result {
    let viewer = context.viewer;
    let path = format!("/v1/conversations/{id}/messages");
    let request = PageRequest::new(&state.cursors, path, viewer, &page)?;
    let load = || async {
        let (seek, rows) = (request.seek(), request.rows());
        let messages = sql::conversations::messages(&state.database, viewer, id, seek, rows)
            .await?
            .ok_or(Error::NotFound("conversation"))?;
        let (page, link) = request.page(messages, |message| message.id);
        // On the members, too: who leaves no longer has them.
        let tags = [Tag::conversation(id), Tag::messages(id)];
        Answer::page(&page, link, tags)
    };
    respond(&state.caches.answers, &context, request.cache_key(), load).await
}
