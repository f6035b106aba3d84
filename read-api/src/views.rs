//! The JSON objects that more than one part of the crate reads or sends.
//!
//! An object that exactly one endpoint wraps around these stands with that endpoint, in `endpoints`.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use feedmill_service::openapi::from_json;
use serde::Serialize;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Object, ObjectBuilder, RefOr, Schema, Type},
};
use uuid::Uuid;

/// One page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// None on the last page.
    pub next_cursor: Option<String>,
    /// For what precedes the page; None if there is nothing that it could precede.
    pub prev_cursor: Option<String>,
}

pub type BlockList = CountedPage<Block>;
pub type ConnectionList = CountedPage<Connection>;
pub type ConnectionRequestList = CountedPage<ConnectionRequest>;
pub type ConversationPage = Page<Conversation>;
pub type FeedPostPage = Page<FeedPost>;
pub type FollowList = CountedPage<Follow>;
pub type LikeList = CountedPage<Like>;
pub type MessagePage = Page<Message>;
pub type MuteList = CountedPage<Mute>;
pub type NotificationPage = Page<Notification>;
pub type PostPage = Page<Post>;
pub type TagMemberList = CountedPage<TagMember>;
pub type TagPage = Page<AudienceTag>;

impl<T> Page<T> {
    pub fn map<U>(self, map: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(map).collect(),
            next_cursor: self.next_cursor,
            prev_cursor: self.prev_cursor,
        }
    }
}

/// Derived, it would repeat the schema of the item in that of the page.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let item = format!("#/components/schemas/{}", T::name());
        from_json(json!({
            "type": "object",
            "required": ["items", "next_cursor", "prev_cursor"],
            "properties": {
                "items": {"type": "array", "items": {"$ref": item}, "maxItems": 100},
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "The cursor of the next page. Only `null` means the end of the list.",
                },
                "prev_cursor": {
                    "type": ["string", "null"],
                    "description": "The cursor of what precedes the page, also of what will: on the first page of a list \
                                    that has the newest first, what is newer. `null` only in an empty first page.",
                },
            },
        }))
    }
}

/// Such as `PostPage`.
impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into(), T::schema()));
        T::schemas(schemas);
    }
}

/// One page of a list whose length is known.
#[derive(Debug, Clone, Serialize)]
pub struct CountedPage<T> {
    #[serde(flatten)]
    pub page: Page<T>,
    pub total: i64,
}

impl<T: ToSchema> PartialSchema for CountedPage<T> {
    fn schema() -> RefOr<Schema> {
        let page = format!("#/components/schemas/{}", Page::<T>::name());
        from_json(json!({
            "description": "A page, and how many items there are.",
            "allOf": [
                {"$ref": page},
                {
                    "type": "object",
                    "required": ["total"],
                    "properties": {
                        "total": {
                            "type": "integer",
                            "format": "int64",
                            "minimum": 0,
                            "description": "How many items there are on all pages.",
                        },
                    },
                },
            ],
        }))
    }
}

/// Such as `FollowList`.
impl<T: ToSchema> ToSchema for CountedPage<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Page::<T>::name().into(), Page::<T>::schema()));
        Page::<T>::schemas(schemas);
    }
}

/// The public name of an account.
// Projections advance independently. An account whose own events are not projected yet, but which others already
// refer to, has an empty handle and display name until they are.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AccountSummary {
    pub id: Uuid,
    /// Unique among all accounts, without regard to case.
    #[schema(examples("miller"), max_length = 30)]
    pub handle: String,
    #[schema(examples("The Miller"), max_length = 100)]
    pub display_name: String,
}

impl AccountSummary {
    /// From columns that are NULL while the account is not projected.
    pub fn from_columns(id: Uuid, handle: Option<String>, display_name: Option<String>) -> Self {
        Self {
            id,
            handle: handle.unwrap_or_default(),
            display_name: display_name.unwrap_or_default(),
        }
    }

    pub fn is_projected(&self) -> bool {
        !self.handle.is_empty()
    }
}

/// An account as its profile shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Profile {
    #[serde(flatten)]
    pub account: AccountSummary,
    /// May be empty.
    #[schema(examples("I grind."), max_length = 500)]
    pub bio: String,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    #[schema(minimum = 0)]
    pub followers_count: i64,
    #[schema(minimum = 0)]
    pub following_count: i64,
    #[schema(minimum = 0)]
    pub connections_count: i64,
    /// Posts in public threads, replies included.
    #[schema(minimum = 0)]
    pub posts_count: i64,
}

/// The caller's profile and settings.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OwnProfile {
    #[serde(flatten)]
    pub profile: Profile,
    #[serde(flatten)]
    pub settings: Settings,
}

/// What an account has set for itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Settings {
    pub default_audience: DefaultAudience,
    pub who_may_message: WhoMayMessage,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_audience: DefaultAudience::Public,
            who_may_message: WhoMayMessage::Everyone,
        }
    }
}

/// The audience of the account's root posts that name none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefaultAudience {
    Public,
    Connections,
    Me,
}

/// Who can start a conversation with the account, or add it to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhoMayMessage {
    Everyone,
    Connections,
}

/// An item of a list of followers or of followed accounts.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Follow {
    #[serde(flatten)]
    pub account: AccountSummary,
    #[serde(with = "rfc3339")]
    pub followed_at: DateTime<Utc>,
}

/// An item of a list of connections.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Connection {
    #[serde(flatten)]
    pub account: AccountSummary,
    #[serde(with = "rfc3339")]
    pub connected_at: DateTime<Utc>,
}

/// The other account of a request for a connection.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectionRequest {
    #[serde(flatten)]
    pub account: AccountSummary,
    #[serde(with = "rfc3339")]
    pub requested_at: DateTime<Utc>,
}

/// An account that the caller mutes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Mute {
    #[serde(flatten)]
    pub account: AccountSummary,
    #[serde(with = "rfc3339")]
    pub muted_at: DateTime<Utc>,
}

/// An account that the caller blocks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Block {
    #[serde(flatten)]
    pub account: AccountSummary,
    #[serde(with = "rfc3339")]
    pub blocked_at: DateTime<Utc>,
}

/// A tag of the caller's.
// Not a cache tag.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Tag)]
pub struct AudienceTag {
    pub id: Uuid,
    #[schema(examples("family"), max_length = 100)]
    pub name: String,
    #[schema(minimum = 0)]
    pub members_count: i64,
}

/// A member of a tag.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TagMember {
    #[serde(flatten)]
    pub account: AccountSummary,
    #[serde(with = "rfc3339")]
    pub added_at: DateTime<Utc>,
}

/// How the caller and an account are related.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of the answer"
)]
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Relationship {
    /// The account.
    pub id: Uuid,
    /// The caller follows the account.
    pub following: bool,
    /// The account follows the caller.
    pub followed_by: bool,
    pub connection: ConnectionState,
    /// The caller blocks the account.
    pub blocking: bool,
    /// The caller mutes the account.
    pub muting: bool,
}

/// `outgoing`: the caller has asked for a connection. `incoming`: the account has.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    None,
    Outgoing,
    Incoming,
    Connected,
}

/// An account that likes a post.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Like {
    #[serde(flatten)]
    pub account: AccountSummary,
    #[serde(with = "rfc3339")]
    pub liked_at: DateTime<Utc>,
}

/// A post or a reply, as the caller sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Post {
    pub id: Uuid,
    pub author: AccountSummary,
    #[schema(examples("Flour!"), max_length = 5_000)]
    pub text: String,
    /// The post that this one replies to. Stays when that post is deleted.
    #[schema(required = true)]
    pub reply_to: Option<Uuid>,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    /// When the author last changed the text; `null` if never.
    #[serde(serialize_with = "rfc3339::serialize_option")]
    #[schema(required = true)]
    pub edited_at: Option<DateTime<Utc>>,
    #[schema(minimum = 0)]
    pub like_count: i64,
    /// Direct replies.
    #[schema(minimum = 0)]
    pub reply_count: i64,
    pub audience: Audience,
    /// The tags, ascending, if the audience is `tags`.
    #[schema(required = true)]
    pub tags: Option<Vec<Uuid>>,
    /// Whether the caller likes it.
    // Must stay the last field: `cache::PostFragment` replaces the end of the cached JSON. It is the only field that depends on the
    // viewer if the thread is not limited.
    pub liked_by_me: bool,
    /// The root post of the thread.
    #[serde(skip)]
    pub root: Uuid,
    /// The thread is not public, or was not once.
    #[serde(skip)]
    pub limited: bool,
}

/// The audience of a thread, as the caller sees it. For others than the author of its root post, `tags` and `me` are `limited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    Public,
    Connections,
    Tags,
    Me,
    Limited,
}

impl Audience {
    /// From the number in a table.
    pub fn from_number(number: i16, is_author: bool) -> Self {
        match (number, is_author) {
            (0, _) => Self::Public,
            (1, _) => Self::Connections,
            (2, true) => Self::Tags,
            (_, true) => Self::Me,
            (_, false) => Self::Limited,
        }
    }
}

/// A post of the caller's feed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FeedPost {
    #[serde(flatten)]
    pub post: Post,
    /// Whether it is the caller's own, or at or before the caller's mark.
    pub read: bool,
}

/// A conversation of the caller.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Conversation {
    #[serde(flatten)]
    pub state: ConversationState,
    /// All members, the caller too, ordered by id.
    #[schema(min_items = 1, max_items = 100)]
    pub members: Vec<AccountSummary>,
}

/// A conversation of the caller, with its members' read marks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConversationWithMarks {
    #[serde(flatten)]
    pub state: ConversationState,
    /// All members, the caller too, ordered by id.
    #[schema(min_items = 1, max_items = 100)]
    pub members: Vec<Member>,
}

/// A conversation without its members.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConversationState {
    pub id: Uuid,
    #[schema(required = true, max_length = 100)]
    pub title: Option<String>,
    /// Without those from before the caller was added.
    #[schema(minimum = 0)]
    pub message_count: i64,
    /// Messages of others after the caller's read mark.
    #[schema(minimum = 0)]
    pub unread_count: i64,
    /// Whether the caller has muted it: `unread_total` leaves it out.
    pub muted: bool,
    /// `null` if there is none for the caller.
    #[schema(required = true)]
    pub last_message: Option<Message>,
}

/// A member of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Member {
    #[serde(flatten)]
    pub account: AccountSummary,
    /// The message up to which the member has read.
    #[schema(required = true)]
    pub read_up_to: Option<Uuid>,
}

/// A message of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Message {
    pub id: Uuid,
    /// The account that sent it.
    pub sender_id: Uuid,
    #[schema(examples("How is the flour?"), max_length = 5_000)]
    pub text: String,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
}

/// What somebody else did with the caller or the caller's posts.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Notification {
    pub id: Uuid,
    #[serde(flatten)]
    pub act: NotifiedAct,
    /// Who did it.
    pub actor: AccountSummary,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    /// Whether it is at or before the caller's mark.
    pub read: bool,
}

/// What was done.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NotifiedAct {
    /// The actor followed the caller.
    Follow {
        #[schema(schema_with = null)]
        post: (),
    },
    /// The actor asks the caller for a connection.
    ConnectionRequest {
        #[schema(schema_with = null)]
        post: (),
    },
    /// The actor has accepted the caller's request for a connection.
    Connection {
        #[schema(schema_with = null)]
        post: (),
    },
    /// The actor likes this post of the caller.
    Like { post: NotificationPost },
    /// The actor replied to a post of the caller, with this one.
    Reply { post: NotificationPost },
}

fn null() -> Object {
    ObjectBuilder::new().schema_type(Type::Null).build()
}

impl NotifiedAct {
    /// The liked post, or the reply. None for what is not about a post.
    pub fn post(&self) -> Option<&NotificationPost> {
        match self {
            Self::Follow { post: () }
            | Self::ConnectionRequest { post: () }
            | Self::Connection { post: () } => None,
            Self::Like { post } | Self::Reply { post } => Some(post),
        }
    }
}

/// The post of a notification.
// The text is empty until the post is projected, like the names of an `AccountSummary`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NotificationPost {
    pub id: Uuid,
    #[schema(max_length = 5_000)]
    pub text: String,
    /// The post that it replies to.
    #[schema(required = true)]
    pub reply_to: Option<Uuid>,
}

/// What happened to the caller in the period.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct DigestCounters {
    /// Posts of the caller's feed.
    #[schema(minimum = 0)]
    pub posts: i64,
    #[schema(minimum = 0)]
    pub likes_received: i64,
    #[schema(minimum = 0)]
    pub replies_received: i64,
    #[schema(minimum = 0)]
    pub new_followers: i64,
    #[schema(minimum = 0)]
    pub new_connections: i64,
    #[schema(minimum = 0)]
    pub messages_received: i64,
}

/// Times as RFC 3339 in UTC with milliseconds: `2004-01-16T14:56:01.001Z`. For `#[serde(with = …)]`.
pub mod rfc3339 {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::Serializer;

    pub fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub fn serialize_option<S: Serializer>(
        time: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => self::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }
}
