//! Marks up to which accounts have read a list. A mark is a point in time. It is given as any id, because ids are in the order of
//! time, and never moves back.

use feedmill_events::id;
use uuid::Uuid;

use super::{clock::Moment, decision::Rejection, table::Table};

/// How far the clocks of two instances may differ, in milliseconds. The id of an item has the time of the instance that made it.
const MAX_CLOCK_SKEW: i64 = 5_000;

/// The marks of one list.
#[derive(Debug, Default)]
pub struct Marks {
    /// The mark of each account that has one.
    rows: Table<Uuid, Uuid>,
}

impl Marks {
    pub fn request(&mut self, account: Uuid) {
        self.rows.request(account);
    }

    pub fn take_requested(&mut self) -> Vec<Uuid> {
        self.rows.take_requested()
    }

    pub fn load(&mut self, account: Uuid, up_to: Uuid) {
        self.rows.load(account, up_to);
    }

    pub fn moved(&mut self, account: Uuid, up_to: Uuid) {
        self.rows.insert(account, up_to);
    }

    /// Whether a mark at `up_to` would move the account's mark.
    pub fn moves(&self, account: Uuid, up_to: Uuid, moment: Moment) -> Result<bool, Rejection> {
        if id::millis(up_to) > moment.millis + MAX_CLOCK_SKEW {
            return Err(Rejection::FutureMark);
        }
        let mark = self.rows.get(&account).copied();
        Ok(mark.unwrap_or_default() < up_to)
    }

    /// The accounts whose marks moved, and their new marks.
    pub fn into_changed(self) -> (Vec<Uuid>, Vec<Uuid>) {
        let changes = self.rows.into_changes();
        changes.inserted.into_iter().chain(changes.updated).unzip()
    }
}
