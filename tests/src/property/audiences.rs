//! Audiences that posts are created with or get later.

use feedmill_events::event::v1::Audience;
use rand::{Rng, rngs::StdRng};
use uuid::Uuid;

use super::{
    random::{Pick, pick, usually},
    state::{State, choose},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceChoice {
    Public,
    Connections,
    Me,
    /// Two of the account's tags, perhaps the same one twice; or of all that there ever were, whosoever.
    Tags {
        tags: [Pick; 2],
        own: bool,
    },
}

impl AudienceChoice {
    pub fn draw(rng: &mut StdRng) -> Self {
        match rng.gen_range(0..10) {
            0 | 1 => Self::Public,
            2..5 => Self::Connections,
            5 => Self::Me,
            _ => Self::Tags {
                tags: [pick(rng), pick(rng)],
                own: usually(rng),
            },
        }
    }

    /// The audience as it is sent; none if there are no tags.
    pub fn audience(self, state: &State<'_>, who: Uuid) -> Option<Audience> {
        Some(match self {
            Self::Public => Audience::Public,
            Self::Connections => Audience::Connections,
            Self::Me => Audience::Me,
            Self::Tags { tags, own } => {
                let of_account = state.oracle.tags.of_owner(who).map(|(id, _)| id);
                let known = if own {
                    of_account.collect()
                } else {
                    state.tags.clone()
                };
                let chosen = tags.iter().map(|tag| choose(&known, *tag));
                Audience::Tags(chosen.collect::<Option<_>>()?)
            }
        })
    }
}

/// The audience as it is stored: the tags in ascending order, each once.
pub fn stored(audience: Audience) -> Audience {
    match audience {
        Audience::Tags(mut tags) => {
            tags.sort_unstable();
            tags.dedup();
            Audience::Tags(tags)
        }
        other => other,
    }
}
