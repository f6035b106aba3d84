//! What a client sees: the shapes of the contract, and nothing that knows how they came about.

mod conversation;
mod digest;
mod notification;
mod page;
mod post;
mod time;
mod user;

pub use conversation::{Conversation, Inbox, Message};
pub use digest::{Counters, Digest};
pub use notification::{Notification, NotificationKind, NotificationPost, Notifications};
pub use page::Page;
pub use post::Post;
pub use user::{Card, Follow, Profile};
