//! Which part of the predicate `visible` decides. In its order: the first that applies.

use serde::Serialize;
use uuid::Uuid;

/// What `visible` looks at.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub viewer: Uuid,
    pub post: Uuid,
    pub author: Uuid,
    pub root: Uuid,
    pub root_author: Uuid,
    /// Of the thread: 0 public, 1 connections, 2 tags, 3 nobody else.
    pub audience: i16,
    pub tags: Vec<Uuid>,
    pub with_author: Blocks,
    pub with_root_author: Blocks,
    pub connected: bool,
    /// Those of the tags that have the viewer.
    pub memberships: Vec<Uuid>,
}

/// The blocks between the viewer and somebody else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blocks {
    pub by_other: bool,
    pub by_viewer: bool,
}

impl Blocks {
    fn exist(self) -> bool {
        self.by_other || self.by_viewer
    }

    fn meaning(self, other: &str) -> String {
        if self.by_other {
            format!("{other} blocks the viewer")
        } else {
            format!("the viewer blocks {other}")
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    Own,
    Blocked,
    OwnThread,
    BlockedInThread,
    Public,
    Connected,
    NotConnected,
    Member,
    NotMember,
    NobodyElse,
}

impl Facts {
    pub fn rule(&self) -> Rule {
        if self.viewer == self.author {
            Rule::Own
        } else if self.with_author.exist() {
            Rule::Blocked
        } else if self.viewer == self.root_author {
            Rule::OwnThread
        } else if self.with_root_author.exist() {
            Rule::BlockedInThread
        } else {
            match self.audience {
                0 => Rule::Public,
                1 if self.connected => Rule::Connected,
                1 => Rule::NotConnected,
                2 if self.memberships.is_empty() => Rule::NotMember,
                2 => Rule::Member,
                _ => Rule::NobodyElse,
            }
        }
    }
}

impl Rule {
    /// Whether the viewer sees the post by it.
    pub fn shows(self) -> bool {
        match self {
            Self::Own | Self::OwnThread | Self::Public | Self::Connected | Self::Member => true,
            Self::Blocked
            | Self::BlockedInThread
            | Self::NotConnected
            | Self::NotMember
            | Self::NobodyElse => false,
        }
    }

    /// As the end of a sentence that begins with "because".
    pub fn meaning(self, facts: &Facts) -> String {
        let tags = |tags: &[Uuid]| {
            tags.iter()
                .map(Uuid::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self {
            Self::Own => "it is the viewer's own".to_owned(),
            Self::Blocked => facts.with_author.meaning("its author"),
            Self::OwnThread => "it is in the viewer's own thread".to_owned(),
            Self::BlockedInThread => facts.with_root_author.meaning("the thread's author"),
            Self::Public => "the thread is public".to_owned(),
            Self::Connected => "the thread is for connections, and the viewer is one".to_owned(),
            Self::NotConnected => {
                "the thread is for connections, and the viewer is none".to_owned()
            }
            Self::Member => format!(
                "the thread is for tags, of which {} has the viewer",
                tags(&facts.memberships)
            ),
            Self::NotMember if facts.tags.is_empty() => {
                "the thread is for tags that were deleted".to_owned()
            }
            Self::NotMember => format!(
                "the thread is for tags ({}) that do not have the viewer",
                tags(&facts.tags)
            ),
            Self::NobodyElse => "the thread is for its author only".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_applies_decides() {
        let [viewer, author, root_author] = [1, 2, 3].map(Uuid::from_u128);
        let other = Facts {
            viewer,
            author,
            root_author,
            ..Facts::default()
        };
        assert_eq!(other.rule(), Rule::Public);
        let limited = |audience, connected, memberships: &[Uuid]| {
            let facts = Facts {
                audience,
                connected,
                memberships: memberships.to_vec(),
                ..other.clone()
            };
            facts.rule()
        };
        assert_eq!(limited(1, true, &[]), Rule::Connected);
        assert_eq!(limited(1, false, &[author]), Rule::NotConnected);
        assert_eq!(limited(2, true, &[]), Rule::NotMember);
        assert_eq!(limited(2, true, &[author]), Rule::Member);
        assert_eq!(limited(3, true, &[author]), Rule::NobodyElse);
        let by_viewer = Blocks {
            by_other: false,
            by_viewer: true,
        };
        let in_thread = Facts {
            with_root_author: by_viewer,
            ..other.clone()
        };
        assert_eq!(in_thread.rule(), Rule::BlockedInThread);
        let own_thread = Facts {
            root_author: viewer,
            audience: 3,
            ..other.clone()
        };
        assert_eq!(own_thread.rule(), Rule::OwnThread);
        let blocked = Facts {
            with_author: Blocks {
                by_other: true,
                by_viewer: false,
            },
            ..own_thread
        };
        assert_eq!(blocked.rule(), Rule::Blocked);
        let own = Facts {
            author: viewer,
            with_root_author: by_viewer,
            ..other
        };
        assert_eq!(own.rule(), Rule::Own);
    }
}
