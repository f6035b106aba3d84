//! Handles that accounts have given up. They stay with their owners for a while, so that nobody else can take an account's
//! name, with the links and mentions that lead to it, on the day that it changes.

use uuid::Uuid;

use crate::domain::table::Table;

/// How long a handle that was given up stays with its owner, in milliseconds: 30 days.
pub const HOLD: i64 = 30 * 24 * 60 * 60 * 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreedHandle {
    pub owner: Uuid,
    /// Unix milliseconds.
    pub at: i64,
}

#[derive(Debug, Default)]
pub struct FreedHandles {
    pub(super) rows: Table<String, FreedHandle>,
}

impl FreedHandles {
    pub fn request(&mut self, handle: String) {
        self.rows.request(handle);
    }

    pub fn freed(&mut self, handle: String, freed: FreedHandle) {
        self.rows.insert(handle, freed);
    }

    /// Its owner has taken it back, or somebody else has it after the time.
    pub fn taken(&mut self, handle: &str) {
        self.rows.remove(&handle.to_owned());
    }

    /// Whose the handle still is. `now` is in Unix milliseconds.
    pub fn owner(&self, handle: &str, now: i64) -> Option<Uuid> {
        let freed = self.rows.get(&handle.to_owned())?;
        (now - freed.at < HOLD).then_some(freed.owner)
    }
}
