//! The follows, likes and steps towards a connection that a stream has told its client of.
//!
//! Each time that one is undone and made again, the list has it with another id. Nobody can make a stream tell the same
//! thing again and again that way.

use std::collections::VecDeque;

use uuid::Uuid;

use crate::views::{Notification, NotifiedAct};

/// Acts that are remembered: 33 KB. One that is forgotten may be told again.
const MAX_TOLD: usize = 1_000;

/// What can be undone and made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    actor: Uuid,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Follow,
    ConnectionRequest,
    Connection,
    Like { post: Uuid },
}

impl Act {
    /// None for a reply, which is another one each time.
    pub fn of(notification: &Notification) -> Option<Self> {
        let what = match &notification.act {
            NotifiedAct::Follow { .. } => What::Follow,
            NotifiedAct::ConnectionRequest { .. } => What::ConnectionRequest,
            NotifiedAct::Connection { .. } => What::Connection,
            NotifiedAct::Like { post } => What::Like { post: post.id },
            NotifiedAct::Reply { .. } => return None,
        };
        let actor = notification.actor.id;
        Some(Self { actor, what })
    }
}

/// In the order in which they were told.
#[derive(Debug, Default)]
pub struct Told(VecDeque<Act>);

impl Told {
    /// Remembers the act; false if it was told before.
    pub fn insert(&mut self, act: Act) -> bool {
        if self.0.contains(&act) {
            return false;
        }
        if self.0.len() == MAX_TOLD {
            self.0.pop_front();
        }
        self.0.push_back(act);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(actor: u128) -> Act {
        Act {
            actor: Uuid::from_u128(actor),
            what: What::Like { post: Uuid::nil() },
        }
    }

    #[test]
    fn an_act_is_told_once_until_it_is_forgotten() {
        let mut told = Told::default();
        let follow = Act {
            what: What::Follow,
            ..like(0)
        };
        assert!(told.insert(follow));
        for actor in 0..MAX_TOLD as u128 - 1 {
            assert!(told.insert(like(actor)));
        }
        assert!(!told.insert(follow) && !told.insert(like(0)));
        assert!(told.insert(like(u128::MAX)));
        assert_eq!(told.0.len(), MAX_TOLD);
        assert!(told.insert(follow), "the oldest is forgotten");
        assert!(!told.insert(like(1)));
    }
}
