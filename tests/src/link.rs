//! Links: what an account adds to a post or an account, and takes away again. A new kind of link is a variant of
//! [`LinkKind`] with its row of facts, and an arm of [`LinkChange::of`]; everything else follows from these.

use feedmill_events::Event;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    Like,
    Follow,
    Bookmark,
    Mute,
}

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkTarget {
    Post,
    Account,
}

/// What the tests must know of a kind of link.
struct Facts {
    target: LinkTarget,
    /// The path of its commands, before and after the target's id.
    path: (&'static str, &'static str),
    /// Its number in `write.links.kind`.
    number: i16,
    /// The types of its import records: made and undone.
    records: (&'static str, &'static str),
    /// The fields of its import records: account and target.
    fields: (&'static str, &'static str),
}

impl LinkKind {
    pub const ALL: [Self; 4] = [Self::Like, Self::Follow, Self::Bookmark, Self::Mute];

    fn facts(self) -> Facts {
        match self {
            Self::Like => Facts {
                target: LinkTarget::Post,
                path: ("/v1/posts/", "/like"),
                number: 1,
                records: ("like", "unlike"),
                fields: ("user", "post"),
            },
            Self::Follow => Facts {
                target: LinkTarget::Account,
                path: ("/v1/users/", "/follow"),
                number: 2,
                records: ("follow", "unfollow"),
                fields: ("from", "to"),
            },
            Self::Bookmark => Facts {
                target: LinkTarget::Post,
                path: ("/v1/posts/", "/bookmark"),
                number: 3,
                records: ("bookmark", "unbookmark"),
                fields: ("user", "post"),
            },
            Self::Mute => Facts {
                target: LinkTarget::Account,
                path: ("/v1/users/", "/mute"),
                number: 4,
                records: ("mute", "unmute"),
                fields: ("from", "to"),
            },
        }
    }

    pub fn target(self) -> LinkTarget {
        self.facts().target
    }

    /// The path of its two commands: PUT makes the link to this target, DELETE undoes it.
    pub fn path(self, to: Uuid) -> String {
        let (before, after) = self.facts().path;
        format!("{before}{to}{after}")
    }

    /// Its number in `write.links.kind`.
    pub fn number(self) -> i16 {
        self.facts().number
    }

    /// Its name, which is also the type of the import record that makes one.
    pub fn name(self) -> &'static str {
        self.record_type(true)
    }

    /// The type of the import record that makes a link, or undoes one.
    pub fn record_type(self, made: bool) -> &'static str {
        let (make, undo) = self.facts().records;
        if made { make } else { undo }
    }

    /// The fields of an import record for the account and the target.
    pub fn record_fields(self) -> (&'static str, &'static str) {
        self.facts().fields
    }
}

/// A link that an event makes or undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkChange {
    pub kind: LinkKind,
    pub from: Uuid,
    pub to: Uuid,
    /// The target post's author, if the event names it.
    pub author: Option<Uuid>,
    /// When the link that the event undoes was made; none if the event makes one.
    pub undone_since: Option<i64>,
}

impl LinkChange {
    /// The change of a link's event; none for any other event.
    pub fn of(event: &Event) -> Option<Self> {
        let change = |kind, from, to, author, undone_since| Self {
            kind,
            from,
            to,
            author,
            undone_since,
        };
        Some(match event {
            Event::PostLiked(e) => change(LinkKind::Like, e.user, e.post, Some(e.author), None),
            Event::PostUnliked(e) => {
                let since = Some(e.liked_at);
                change(LinkKind::Like, e.user, e.post, Some(e.author), since)
            }
            Event::AccountFollowed(e) => {
                change(LinkKind::Follow, e.follower, e.followee, None, None)
            }
            Event::AccountUnfollowed(e) => {
                let since = Some(e.followed_at);
                change(LinkKind::Follow, e.follower, e.followee, None, since)
            }
            Event::AccountMuted(e) => change(LinkKind::Mute, e.muter, e.muted, None, None),
            Event::AccountUnmuted(e) => {
                let since = Some(e.muted_at);
                change(LinkKind::Mute, e.muter, e.muted, None, since)
            }
            Event::PostBookmarked(e) => change(LinkKind::Bookmark, e.user, e.post, None, None),
            Event::PostUnbookmarked(e) => {
                let since = Some(e.bookmarked_at);
                change(LinkKind::Bookmark, e.user, e.post, None, since)
            }
            _ => return None,
        })
    }
}
