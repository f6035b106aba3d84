//! `/v1/conversations…`.

use axum::extract::State;
use feedmill_events::Tag;
use feedmill_service::extract::{Path, Query};
use serde::Serialize;
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
    views::{AccountSummary, Conversation, Page},
};

#[derive(Debug, Serialize)]
struct Inbox {
    #[serde(flatten)]
    page: Page<Conversation<AccountSummary>>,
    /// All conversations, also those on other pages.
    total: i64,
    /// Of all conversations, also those on other pages.
    unread_total: i64,
}

/// The viewer's conversations, latest activity first. One statement.
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
        let mut tags = vec![Tag::conversations(viewer)];
        tags.extend(members);
        let (page, link) = request.page(list.listed, |listed| listed.activity);
        let inbox = Inbox {
            page: page.map(|listed| listed.conversation),
            total: list.total,
            unread_total: list.unread_total,
        };
        Answer::page(&inbox, link, tags)
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}

/// One conversation with its members' read marks, for its members. One statement.
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
        let tags = [Tag::messages(id), Tag::read_marks(id)];
        Ok(Answer::new(&conversation)?.depending_on(tags.into_iter().chain(members)))
    };
    respond(&state.answers, &context, key, load).await
}

/// One message of a conversation, for its members. One statement.
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
        Ok(Answer::new(&message)?.depending_on([Tag::messages(id)]))
    };
    respond(&state.answers, &context, key, load).await
}

/// The messages of a conversation, newest first, for its members. One statement.
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
        // Not on the members: a member never leaves.
        Answer::page(&page, link, [Tag::messages(id)])
    };
    respond(&state.answers, &context, request.cache_key(), load).await
}
