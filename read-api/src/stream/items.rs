//! The lists that a stream follows, and their items as JSON.

use chrono::{DateTime, Utc};
use feedmill_events::{PARTITIONS, Partition};
use feedmill_service::Database;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{event::StreamedMessage, told::Act};
use crate::{
    error::Error,
    sql::stream::{self, Since},
    views::{Message, Notification, Post},
};

/// How many [`List`]s there are.
pub const LISTS: usize = 3;

/// Which partitions are read.
pub type PartitionFilter = [bool; PARTITIONS as usize];

pub const ALL_PARTITIONS: PartitionFilter = [true; PARTITIONS as usize];

/// A list of which a stream sends the new items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum List {
    Feed,
    Conversations,
    Notifications,
}

impl List {
    pub const ALL: [Self; LISTS] = [Self::Feed, Self::Conversations, Self::Notifications];

    /// The type of an event with an item of the list.
    pub fn event(self) -> &'static str {
        match self {
            Self::Feed => "post",
            Self::Conversations => "message",
            Self::Notifications => "notification",
        }
    }
}

/// An account whose posts are in the viewer's feed.
#[derive(Debug, Clone, Copy)]
pub struct Author {
    pub id: Uuid,
    /// Where to read from, for an account that was just followed. None: from the watermark of its partition.
    pub since: Option<Uuid>,
}

pub struct Item {
    pub id: Uuid,
    pub partition: Partition,
    /// False while the text of a post, or a handle, is not projected yet: it comes from another projection.
    pub complete: bool,
    pub json: String,
    /// Of a post that was edited.
    pub edited_at: Option<DateTime<Utc>>,
    /// What a notification is about, if that can be undone and made again.
    pub act: Option<Act>,
}

impl Item {
    fn new(id: Uuid, origin: Uuid, complete: bool, view: &impl Serialize) -> Result<Self, Error> {
        Ok(Self {
            id,
            partition: Partition::of(origin),
            complete,
            json: serde_json::to_string(view)?,
            edited_at: None,
            act: None,
        })
    }
}

/// The new posts of the `authors` in these partitions, oldest first.
pub async fn posts(
    database: &Database,
    viewer: Uuid,
    authors: &[Author],
    partitions: &PartitionFilter,
    since: &Since,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let partition = |author: &Author| usize::from(Partition::of(author.id).number());
    let (authors, from): (Vec<_>, Vec<_>) = authors
        .iter()
        .filter(|author| partitions[partition(author)])
        .map(|author| {
            (
                author.id,
                author.since.unwrap_or(since.from[partition(author)]),
            )
        })
        .unzip();
    let posts = stream::new_posts(database, viewer, &authors, &from, &since.sent, limit).await?;
    let item = |post: &Post| {
        let complete = post.author.is_projected();
        Ok(Item {
            edited_at: post.edited_at,
            ..Item::new(post.id, post.author.id, complete, post)?
        })
    };
    posts.iter().map(item).collect()
}

pub async fn messages(
    database: &Database,
    viewer: Uuid,
    since: &Since,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let messages = stream::new_messages(database, viewer, since, limit).await?;
    let item = |(conversation_id, message): &(Uuid, Message)| {
        let (conversation_id, id) = (*conversation_id, message.id);
        let event = StreamedMessage {
            conversation_id,
            message,
        };
        Item::new(id, conversation_id, true, &event)
    };
    messages.iter().map(item).collect()
}

pub async fn notifications(
    database: &Database,
    viewer: Uuid,
    since: &Since,
    limit: i64,
) -> Result<Vec<Item>, Error> {
    let notifications = stream::new_notifications(database, viewer, since, limit).await?;
    let item = |(origin, notification): &(Uuid, Notification)| {
        let text = notification.act.post().map(|post| &post.text);
        let complete =
            notification.actor.is_projected() && text.is_none_or(|text| !text.is_empty());
        Ok(Item {
            act: Act::of(notification),
            ..Item::new(notification.id, *origin, complete, notification)?
        })
    };
    notifications.iter().map(item).collect()
}
