//! The lists that a stream follows, and their items, ready to be sent.

use feedmill_events::{PARTITIONS, Partition};
use feedmill_service::Database;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    error::Error,
    query::stream,
    view::{Card, Message, Notification, Post},
};

use super::{event_id::LISTS, marks::Marks};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Feed,
    Conversations,
    Notifications,
}

impl List {
    pub const ALL: [Self; LISTS] = [Self::Feed, Self::Conversations, Self::Notifications];

    /// As in the address of the list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Conversations => "conversations",
            Self::Notifications => "notifications",
        }
    }

    /// Of an event that brings one of its items.
    pub fn event(self) -> &'static str {
        match self {
            Self::Feed => "post",
            Self::Conversations => "message",
            Self::Notifications => "notification",
        }
    }
}

/// Somebody of whose posts the viewer's feed is made.
#[derive(Debug, Clone, Copy)]
pub struct Author {
    pub id: Uuid,
    /// Who was not followed before is read from here, and not from what is known of the partition.
    pub from: Option<Uuid>,
}

pub struct Item {
    pub id: Uuid,
    pub partition: Partition,
    /// The text of a post, or a handle, may be a moment late: another projection has it.
    pub whole: bool,
    pub json: String,
}

impl Item {
    fn new(id: Uuid, place: Uuid, whole: bool, view: &impl Serialize) -> Result<Self, Error> {
        Ok(Self {
            id,
            partition: Partition::of(place),
            whole,
            json: serde_json::to_string(view)?,
        })
    }
}

#[derive(Serialize)]
struct Said<'a> {
    conversation_id: Uuid,
    #[serde(flatten)]
    message: &'a Message,
}

/// Posts of those of `authors` whose partition is one of `partitions`, oldest first.
pub async fn posts(
    database: &Database,
    viewer: Uuid,
    authors: &[Author],
    partitions: &[bool; PARTITIONS as usize],
    (marks, now): (&Marks, i64),
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let since = marks.since(now);
    let place = |author: &Author| usize::from(Partition::of(author.id).number());
    let (authors, from): (Vec<_>, Vec<_>) = authors
        .iter()
        .filter(|author| partitions[place(author)])
        .map(|author| (author.id, author.from.unwrap_or(since.from[place(author)])))
        .unzip();
    let posts = stream::posts(database, viewer, &authors, &from, &since.known, limit).await?;
    let item = |post: &Post| Item::new(post.id, post.author.id, is_whole(&post.author), post);
    posts.iter().map(item).collect()
}

pub async fn messages(
    database: &Database,
    viewer: Uuid,
    (marks, now): (&Marks, i64),
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let messages = stream::new_messages(database, viewer, &marks.since(now), limit).await?;
    let item = |(conversation_id, message): &(Uuid, Message)| {
        let (conversation_id, id) = (*conversation_id, message.id);
        let said = Said {
            conversation_id,
            message,
        };
        Item::new(id, conversation_id, true, &said)
    };
    messages.iter().map(item).collect()
}

pub async fn notifications(
    database: &Database,
    viewer: Uuid,
    (marks, now): (&Marks, i64),
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let notifications =
        stream::new_notifications(database, viewer, &marks.since(now), limit).await?;
    let item = |(place, notification): &(Uuid, Notification)| {
        let text = notification.post.as_ref().map(|post| &post.text);
        let whole = is_whole(&notification.actor) && text.is_none_or(|text| !text.is_empty());
        Item::new(notification.id, *place, whole, notification)
    };
    notifications.iter().map(item).collect()
}

fn is_whole(card: &Card) -> bool {
    !card.handle.is_empty()
}
