//! What the generated records have created so far, and the next record of each type. Every record is legal: nobody acts on what
//! they do not see.

mod conversations;
mod posts;
mod relations;

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::id;
use rand::{Rng, rngs::StdRng};
use uuid::Uuid;

use super::{
    record::{Record, What},
    replay,
};
use crate::{link::LinkKind, oracle::Oracle};

pub struct Community {
    people: usize,
    /// The state after all records, with made-up ids.
    oracle: Oracle,
    /// How many posts there were.
    post_count: usize,
    /// Those that stand.
    posts: Vec<NamedPost>,
    links: BTreeSet<(LinkKind, String, String)>,
    /// The last link of each kind.
    last_links: BTreeMap<LinkKind, (String, String)>,
    connections: BTreeSet<(String, String)>,
    blocks: BTreeSet<(String, String)>,
    /// Owner and members of each tag that stands.
    tags: BTreeMap<String, (String, BTreeSet<String>)>,
    /// How many tags there were.
    tag_count: usize,
    /// Members and messages, by conversation.
    conversations: BTreeMap<String, (Vec<String>, Vec<String>)>,
}

struct NamedPost {
    id: String,
    author: String,
    is_root: bool,
}

/// An id for a name in the records.
fn made_up_id(kind: &str, name: &str) -> Uuid {
    Uuid::from_u64_pair(id::fnv1a(kind.bytes()), id::fnv1a(name.bytes()))
}

impl Community {
    pub fn new(people: usize) -> Self {
        Self {
            people,
            oracle: Oracle::default(),
            post_count: 0,
            posts: Vec::new(),
            links: BTreeSet::new(),
            last_links: BTreeMap::new(),
            connections: BTreeSet::new(),
            blocks: BTreeSet::new(),
            tags: BTreeMap::new(),
            tag_count: 0,
            conversations: BTreeMap::new(),
        }
    }

    /// Applies a record to the state.
    pub fn apply(&mut self, record: &Record) {
        let applied = replay::apply(&mut self.oracle, record, |kind, name| {
            Ok(made_up_id(kind, name))
        });
        applied.expect("every name has an id");
    }

    pub fn account(index: usize) -> What {
        What::Account {
            id: format!("user {index}"),
            handle: format!("person_{index}"),
            display_name: format!("Person Nº {index}"),
        }
    }

    fn someone(&self, rng: &mut StdRng) -> String {
        format!("user {}", rng.gen_range(0..self.people))
    }

    fn sees(&self, user: &str, post: &str) -> bool {
        let (user, post) = (made_up_id("account", user), made_up_id("post", post));
        self.oracle.visible(user, post)
    }

    /// Whether one of the two blocks the other.
    fn is_blocked(&self, a: &str, b: &str) -> bool {
        let [a, b] = [a, b].map(|name| made_up_id("account", name));
        self.oracle.blocks.between(a, b)
    }
}

#[cfg(test)]
mod tests {
    use feedmill_events::event::v1::Audience;

    use super::*;
    use crate::import::generate;

    /// The community that the test of mutations imports.
    #[test]
    fn the_community_has_something_to_hide() {
        let mut community = Community::new(6);
        for record in &generate(11, 6, 300) {
            community.apply(record);
        }
        let oracle = community.oracle;
        let threads = oracle.threads.values();
        let audiences: Vec<_> = threads.map(|thread| &thread.audience).collect();
        assert!(audiences.contains(&&Audience::Connections));
        assert!(audiences.contains(&&Audience::Me));
        let is_tags = |audience: &Audience| matches!(audience, Audience::Tags(_));
        assert!(audiences.into_iter().any(is_tags));
        assert!(!oracle.deleted.is_empty());
        let mut pairs = oracle.conversations.values();
        assert!(pairs.any(|found| oracle.is_closed(found)));
        let viewers = oracle.accounts.keys();
        let hides = |viewer: &&Uuid| {
            let delivered = oracle.delivered(**viewer).len();
            delivered > oracle.feed_ids(**viewer).len()
        };
        assert!(viewers.filter(hides).count() > 2);
    }
}
