//! The kinds of links, a row each.

use feedmill_events::{Event, event::v1};
use uuid::Uuid;

use crate::domain::decision::Rejection;

/// What a link of a kind points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkTarget {
    Post,
    /// `to_oneself` is the rejection of an account that would link to itself.
    Account {
        to_oneself: Rejection,
        ignores_blocks: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkAction {
    Add,
    Remove,
}

/// A link, in the order of the table's primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkKey {
    pub target: Uuid,
    pub kind: LinkKind,
    pub account: Uuid,
}

/// The effect of an event on links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkChange {
    Added(LinkKey),
    Removed(LinkKey),
}

/// The table of kinds. A row is
/// `Kind = number in write.links, target, "command that adds" => event, "command that removes" => event;`
/// where the fields of an event take the values that are named at the top. An event need not have all of them.
macro_rules! link_kinds {
    (
        |$target:ident, $owner:ident, $account:ident, $since:ident|
        $(
            $(#[$doc:meta])*
            $kind:ident = $number:literal, $place:expr,
            $add:literal => $added_version:ident::$added:ident { $($added_field:ident: $added_value:ident),+ $(,)? },
            $remove:literal => $removed_version:ident::$removed:ident { $($removed_field:ident: $removed_value:ident),+ $(,)? };
        )+
    ) => {
        /// A kind of link.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum LinkKind {
            $($(#[$doc])* $kind = $number,)+
        }

        impl LinkKind {
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            pub fn target(self) -> LinkTarget {
                match self {
                    $(Self::$kind => $place,)+
                }
            }

            /// The name in metrics and in import files of the command that adds or removes a link.
            pub fn command_name(self, action: LinkAction) -> &'static str {
                match (self, action) {
                    $(
                        (Self::$kind, LinkAction::Add) => $add,
                        (Self::$kind, LinkAction::Remove) => $remove,
                    )+
                }
            }
        }

        impl LinkKey {
            /// The event that adds this link. `owner` is the author of a post, or the account itself.
            pub fn added(self, $owner: Uuid) -> Event {
                let Self { $target, kind, $account } = self;
                match kind {
                    $(LinkKind::$kind => Event::$added($added_version::$added {
                        $($added_field: $added_value),+
                    }),)+
                }
            }

            /// The event that removes this link. `since` is when it was added, in Unix milliseconds.
            pub fn removed(self, $owner: Uuid, $since: i64) -> Event {
                let Self { $target, kind, $account } = self;
                match kind {
                    $(LinkKind::$kind => Event::$removed($removed_version::$removed {
                        $($removed_field: $removed_value),+
                    }),)+
                }
            }
        }

        impl LinkChange {
            /// None if the event is none of a link.
            #[allow(unused_variables, reason = "an event is taken apart by the fields that make it")]
            pub fn of(event: &Event) -> Option<Self> {
                match event {
                    $(
                        Event::$added($added_version::$added { $($added_field: $added_value),+ }) => {
                            let kind = LinkKind::$kind;
                            Some(Self::Added(LinkKey { $target: *$target, kind, $account: *$account }))
                        }
                        Event::$removed($removed_version::$removed { $($removed_field: $removed_value),+ }) => {
                            let kind = LinkKind::$kind;
                            Some(Self::Removed(LinkKey { $target: *$target, kind, $account: *$account }))
                        }
                    )+
                    _ => None,
                }
            }
        }

        /// A pattern: the events of all kinds of links.
        macro_rules! link_events {
            () => { $(feedmill_events::Event::$added(_) | feedmill_events::Event::$removed(_))|+ };
        }
    };
}

link_kinds! {
    |target, owner, account, since|

    /// An account likes a post.
    Like = 1, LinkTarget::Post,
    "like" => v1::PostLiked { post: target, author: owner, user: account },
    "unlike" => v1::PostUnliked { post: target, author: owner, user: account, liked_at: since };

    /// An account follows another one.
    Follow = 2, LinkTarget::Account { to_oneself: Rejection::SelfFollow, ignores_blocks: false },
    "follow" => v1::AccountFollowed { followee: target, follower: account },
    "unfollow" => v1::AccountUnfollowed { followee: target, follower: account, followed_at: since };

    /// An account bookmarks a post.
    Bookmark = 3, LinkTarget::Post,
    "bookmark" => v1::PostBookmarked { post: target, user: account },
    "unbookmark" => v1::PostUnbookmarked { post: target, user: account, bookmarked_at: since };

    /// An account mutes another one: its feed and notifications leave the other one out.
    Mute = 4, LinkTarget::Account { to_oneself: Rejection::SelfMute, ignores_blocks: true },
    "mute" => v1::AccountMuted { muted: target, muter: account },
    "unmute" => v1::AccountUnmuted { muted: target, muter: account, muted_at: since };
}

pub(in crate::domain) use link_events;

/// The number in `write.links.kind`.
impl From<LinkKind> for i16 {
    fn from(kind: LinkKind) -> Self {
        kind as Self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no kind of link that this version knows")]
pub struct UnknownLinkKind(i16);

impl TryFrom<i16> for LinkKind {
    type Error = UnknownLinkKind;

    fn try_from(number: i16) -> Result<Self, UnknownLinkKind> {
        let mut all = Self::ALL.iter().copied();
        all.find(|kind| i16::from(*kind) == number)
            .ok_or(UnknownLinkKind(number))
    }
}
