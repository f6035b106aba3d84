//! Accounts, and how the caller is related to them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::rfc3339;

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
