//! What operators have the caches of all instances of read-api do, by a message in [`crate::subject::CACHE`].

/// The payload of its message is its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheCommand {
    /// Removes everything, and has loads in progress not be served as fresh.
    Clear,
    /// Removes what is stale.
    Cleanup,
}

impl CacheCommand {
    pub const ALL: [Self; 2] = [Self::Clear, Self::Cleanup];

    pub fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Cleanup => "cleanup",
        }
    }

    /// For people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Clear => "the caches are emptied",
            Self::Cleanup => "what is stale is removed from the caches",
        }
    }
}
