//! The inbox: all conversations of the viewer by last activity, the message counts of each (for the total of unread
//! messages), and the members and the last message of each conversation on the page. With 200 conversations and a page
//! of 100, it takes 401 queries.

use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    context::{Backend, RequestContext, RequestError},
    feed,
    view::{Conversation, Inbox, Page},
};

#[derive(FromRow)]
struct Row {
    id: Uuid,
    title: Option<String>,
    read_up_to: Option<Uuid>,
    muted: bool,
    activity: Uuid,
}

pub async fn read(
    backend: State<Backend>,
    headers: HeaderMap,
    Query(params): Query<feed::Params>,
) -> Result<Response, RequestError> {
    let mut context = RequestContext::new(backend, &headers).await?;
    let viewer = context.viewer;
    let limit = params.limit.unwrap_or(20) as usize;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT c.id, c.title, m.read_up_to, m.muted, coalesce(last.id, c.id) AS activity
         FROM members AS m
         JOIN conversations AS c ON c.id = m.conversation
         LEFT JOIN LATERAL (
             SELECT id FROM messages WHERE conversation = c.id ORDER BY id DESC LIMIT 1
         ) AS last ON true
         WHERE m.account = $1
         ORDER BY activity DESC",
    )
    .bind(viewer)
    .fetch_all(&mut *context.connection().await?)
    .await?;
    let (mut items, mut unread_total, mut next_cursor) = (Vec::new(), 0, None);
    for (index, row) in rows.into_iter().enumerate() {
        let (message_count, unread_count): (i64, i64) = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE sender <> $2 AND ($3 IS NULL OR id > $3))
             FROM messages WHERE conversation = $1",
        )
        .bind(row.id)
        .bind(viewer)
        .bind(row.read_up_to)
        .fetch_one(&mut *context.connection().await?)
        .await?;
        unread_total += if row.muted { 0 } else { unread_count };
        if index >= limit {
            next_cursor.get_or_insert(row.activity.to_string());
            continue;
        }
        let members = sqlx::query_as(
            "SELECT a.id, a.handle, a.display_name FROM members AS m JOIN accounts AS a ON a.id = m.account
             WHERE m.conversation = $1 ORDER BY a.id",
        )
        .bind(row.id)
        .fetch_all(&mut *context.connection().await?)
        .await?;
        let last_message = sqlx::query_as(
            "SELECT id, sender AS sender_id, text, created_at FROM messages
             WHERE conversation = $1 ORDER BY id DESC LIMIT 1",
        )
        .bind(row.id)
        .fetch_optional(&mut *context.connection().await?)
        .await?;
        items.push(Conversation {
            id: row.id,
            title: row.title,
            members,
            message_count,
            unread_count,
            muted: row.muted,
            last_message,
        });
    }
    let page = Page { items, next_cursor };
    Ok(context.response(&Inbox { page, unread_total }))
}
