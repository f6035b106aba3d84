//! Blocks. Each account has its own side of a block, because each side is in the partition of its account.

use std::collections::BTreeMap;

use feedmill_events::event::v1::{AccountBlocked, AccountUnblocked};
use uuid::Uuid;

/// A block as one of its two accounts has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Side {
    account: Uuid,
    other: Uuid,
    /// The one of the two who blocks.
    blocker: Uuid,
}

impl Side {
    fn both(blocker: Uuid, blocked: Uuid) -> [Self; 2] {
        [(blocker, blocked), (blocked, blocker)].map(|(account, other)| Self {
            account,
            other,
            blocker,
        })
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks {
    /// When each block was made.
    sides: BTreeMap<Side, i64>,
}

impl Blocks {
    /// Keeps the time of the first of several until it is undone.
    pub fn block(&mut self, blocker: Uuid, blocked: Uuid, at: i64) {
        for side in Side::both(blocker, blocked) {
            self.sides.entry(side).or_insert(at);
        }
    }

    pub fn unblock(&mut self, blocker: Uuid, blocked: Uuid) {
        for side in Side::both(blocker, blocked) {
            self.sides.remove(&side);
        }
    }

    /// Whether `blocker` blocks `other`, by the side of `blocker`.
    pub fn blocks(&self, blocker: Uuid, other: Uuid) -> bool {
        let [side, _] = Side::both(blocker, other);
        self.sides.contains_key(&side)
    }

    /// Whether either of the two blocks the other, by the side of `account`: of an event in the partition of `account`, this
    /// says what stood before it.
    pub fn between(&self, account: Uuid, other: Uuid) -> bool {
        [account, other].into_iter().any(|blocker| {
            let side = Side {
                account,
                other,
                blocker,
            };
            self.sides.contains_key(&side)
        })
    }

    /// Blocker, blocked and time of every block, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Uuid, Uuid, i64)> {
        let sides = self.sides.iter();
        let of_blockers = sides.filter(|(side, _)| side.account == side.blocker);
        of_blockers.map(|(side, at)| (side.account, side.other, *at))
    }

    /// Those whom an account blocks, with the time.
    pub fn of(&self, blocker: Uuid) -> impl Iterator<Item = (Uuid, i64)> {
        let blocks = self.iter();
        blocks.filter_map(move |(account, other, at)| (account == blocker).then_some((other, at)))
    }

    /// Takes over the times of the blocks that stand, which no answer to a command contains.
    pub fn set_times(&mut self, blocks: impl IntoIterator<Item = (Uuid, Uuid, i64)>) {
        for (blocker, blocked, at) in blocks {
            for side in Side::both(blocker, blocked) {
                if let Some(known) = self.sides.get_mut(&side) {
                    *known = at;
                }
            }
        }
    }

    pub fn fold_blocked(&mut self, at: i64, event: &AccountBlocked) {
        self.sides.insert(Self::side_of(event), at);
    }

    pub fn fold_unblocked(&mut self, event: &AccountUnblocked) {
        self.sides.remove(&Self::ended_side_of(event));
    }

    /// Whether the side of `account` allows the block.
    pub fn is_legal_block(&self, event: &AccountBlocked) -> bool {
        let (account, other) = (event.account, event.other);
        account != other
            && [account, other].contains(&event.blocker)
            && !self.sides.contains_key(&Self::side_of(event))
    }

    pub fn is_legal_unblock(&self, event: &AccountUnblocked) -> bool {
        self.sides.get(&Self::ended_side_of(event)) == Some(&event.blocked_at)
    }

    fn side_of(event: &AccountBlocked) -> Side {
        Side {
            account: event.account,
            other: event.other,
            blocker: event.blocker,
        }
    }

    fn ended_side_of(event: &AccountUnblocked) -> Side {
        Side {
            account: event.account,
            other: event.other,
            blocker: event.blocker,
        }
    }
}
