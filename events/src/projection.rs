//! The registry of projections: the only list of read models, for all crates, tests and tools.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A read model: a set of tables that the projector updates from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Projection {
    Profiles,
    Feed,
    Digest,
    Conversations,
    Notifications,
}

impl Projection {
    pub const ALL: [Self; 5] = [
        Self::Profiles,
        Self::Feed,
        Self::Digest,
        Self::Conversations,
        Self::Notifications,
    ];

    /// The name on the command line, in metrics, of its database schema and of its NATS subject.
    pub fn name(self) -> &'static str {
        match self {
            Self::Profiles => "profiles",
            Self::Feed => "feed",
            Self::Digest => "digest",
            Self::Conversations => "conversations",
            Self::Notifications => "notifications",
        }
    }
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown projection {0:?}; known are {known}", known = Projection::ALL.map(Projection::name).join(", "))]
pub struct UnknownProjection(String);

impl FromStr for Projection {
    type Err = UnknownProjection;

    fn from_str(name: &str) -> Result<Self, UnknownProjection> {
        let mut all = Self::ALL.into_iter();
        all.find(|projection| projection.name() == name)
            .ok_or_else(|| UnknownProjection(name.to_owned()))
    }
}

impl TryFrom<String> for Projection {
    type Error = UnknownProjection;

    fn try_from(name: String) -> Result<Self, UnknownProjection> {
        name.parse()
    }
}

impl From<Projection> for String {
    fn from(projection: Projection) -> Self {
        projection.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_projection_parses_from_its_name() {
        for projection in Projection::ALL {
            assert_eq!(projection.name().parse(), Ok(projection));
        }
        assert!("no_such".parse::<Projection>().is_err());
    }
}
