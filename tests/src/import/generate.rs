//! A small random community: a few weeks, with every type of record.

use std::collections::{BTreeMap, BTreeSet};

use feedmill_events::id;
use rand::{
    Rng, SeedableRng,
    rngs::StdRng,
    seq::{IteratorRandom, SliceRandom},
};

use super::record::{Record, What};
use crate::link::{LinkKind, LinkTarget};

/// 6 January 2020, a Monday, 22:00 UTC: the first records are at the end of a day.
const START: i64 = 1_578_348_000_000;

/// Time between two records of one type, in milliseconds, at most.
const MAX_INTERVAL: i64 = 30_000_000;

/// The records of a seed, in order of their times; some have the same time. Each type of record has a source of
/// randomness of its own, so that a new type changes nothing of the others. There are as many accounts as `people`,
/// and about `length` other records.
pub fn generate(seed: u64, people: usize, length: usize) -> Vec<Record> {
    let mut community = Community::new(people);
    let mut sources: Vec<Source> = Vec::new();
    let mut add = |name: String, share: f64, draw: Draw| {
        let mut source = Source {
            rng: StdRng::seed_from_u64(seed ^ id::fnv1a(name.bytes())),
            share,
            at: START,
            draw,
        };
        source.advance();
        sources.push(source);
    };
    add(
        "post".to_owned(),
        3.0,
        Box::new(|community: &mut Community, rng| Some(community.post(rng))),
    );
    for kind in LinkKind::ALL {
        let draw = move |community: &mut Community, rng: &mut StdRng| community.link(kind, rng);
        add(kind.name().to_owned(), 2.0, Box::new(draw));
    }
    add(
        "connection".to_owned(),
        2.0,
        Box::new(Community::connection),
    );
    add("tag".to_owned(), 1.0, Box::new(Community::tag));
    add(
        "conversation".to_owned(),
        0.5,
        Box::new(Community::conversation),
    );
    add("message".to_owned(), 2.0, Box::new(Community::message));
    add("read".to_owned(), 1.0, Box::new(Community::read));
    let accounts = (0..people).map(Community::account);
    let mut records: Vec<_> = accounts.map(|what| Record { what, at: START }).collect();
    while records.len() < people + length {
        let source = sources.iter_mut().min_by_key(|source| source.at);
        let source = source.expect("a type of record");
        if let Some(what) = (source.draw)(&mut community, &mut source.rng) {
            let at = source.at;
            records.push(Record { what, at });
        }
        source.advance();
    }
    records
}

type Draw = Box<dyn Fn(&mut Community, &mut StdRng) -> Option<What>>;

/// Records of one type.
struct Source {
    rng: StdRng,
    /// Of all records.
    share: f64,
    /// When the next one is.
    at: i64,
    draw: Draw,
}

impl Source {
    /// Often not at all, so that many records have the same time.
    fn advance(&mut self) {
        if self.rng.gen_bool(0.3) {
            return;
        }
        let longest = (MAX_INTERVAL as f64 / self.share) as i64;
        let interval = self.rng.gen_range(0..longest);
        // On whole minutes, so that some records of different types have the same time.
        self.at += interval - interval % 60_000;
    }
}

/// What the records have created so far.
struct Community {
    people: usize,
    posts: Vec<String>,
    links: BTreeSet<(LinkKind, String, String)>,
    /// The last link of each kind.
    last_links: BTreeMap<LinkKind, (String, String)>,
    connections: BTreeSet<(String, String)>,
    /// Owner and members of each tag that stands.
    tags: BTreeMap<String, (String, BTreeSet<String>)>,
    /// How many tags there were.
    tag_count: usize,
    /// Members and messages, by conversation.
    conversations: BTreeMap<String, (Vec<String>, Vec<String>)>,
}

impl Community {
    fn new(people: usize) -> Self {
        Self {
            people,
            posts: Vec::new(),
            links: BTreeSet::new(),
            last_links: BTreeMap::new(),
            connections: BTreeSet::new(),
            tags: BTreeMap::new(),
            tag_count: 0,
            conversations: BTreeMap::new(),
        }
    }

    fn account(index: usize) -> What {
        What::Account {
            id: format!("user {index}"),
            handle: format!("person_{index}"),
            display_name: format!("Person Nº {index}"),
        }
    }

    fn someone(&self, rng: &mut StdRng) -> String {
        format!("user {}", rng.gen_range(0..self.people))
    }

    fn post(&mut self, rng: &mut StdRng) -> What {
        let number = self.posts.len();
        let id = format!("post {number}");
        let reply_to = self
            .posts
            .choose(rng)
            .filter(|_| rng.gen_bool(0.3))
            .cloned();
        self.posts.push(id.clone());
        What::Post {
            id,
            author: self.someone(rng),
            text: format!("No. {number}: naïve café, 東京 🌾"),
            reply_to,
        }
    }

    /// A new link, or the end of one. Sometimes the last one again, perhaps at the same time.
    fn link(&mut self, kind: LinkKind, rng: &mut StdRng) -> Option<What> {
        if rng.gen_bool(0.3)
            && let Some((from, to)) = self.last_links.get(&kind).cloned()
        {
            return Some(self.toggle(kind, from, to));
        }
        let from = self.someone(rng);
        // One account mutes nobody, so that the read models' total of its notifications is used.
        if kind == LinkKind::Mute && from == "user 0" {
            return None;
        }
        let to = match kind.target() {
            LinkTarget::Account => Some(self.someone(rng)).filter(|to| *to != from),
            LinkTarget::Post => {
                let recent = &self.posts[self.posts.len().saturating_sub(20)..];
                recent.choose(rng).cloned()
            }
        }?;
        let link = (kind, from.clone(), to.clone());
        if self.links.contains(&link) && rng.gen_bool(0.5) {
            return None;
        }
        Some(self.toggle(kind, from, to))
    }

    fn toggle(&mut self, kind: LinkKind, from: String, to: String) -> What {
        let link = (kind, from.clone(), to.clone());
        let make = self.links.insert(link.clone());
        if !make {
            self.links.remove(&link);
        }
        self.last_links.insert(kind, (from.clone(), to.clone()));
        What::Link {
            kind,
            make,
            from,
            to,
        }
    }

    /// A new connection, or the end of one.
    fn connection(&mut self, rng: &mut StdRng) -> Option<What> {
        let ended = self.connections.iter().choose(rng).cloned();
        if let Some((from, to)) = ended.filter(|_| rng.gen_bool(0.25)) {
            self.connections.remove(&(from.clone(), to.clone()));
            for (owner, members) in self.tags.values_mut() {
                if *owner == from {
                    members.remove(&to);
                } else if *owner == to {
                    members.remove(&from);
                }
            }
            let connect = false;
            return Some(What::Connection { connect, from, to });
        }
        let (from, to) = (self.someone(rng), self.someone(rng));
        let known = [(from.clone(), to.clone()), (to.clone(), from.clone())];
        if from == to || known.iter().any(|pair| self.connections.contains(pair)) {
            return None;
        }
        self.connections.insert((from.clone(), to.clone()));
        let connect = true;
        Some(What::Connection { connect, from, to })
    }

    /// A new tag, the end of one, a new member, or the end of a membership.
    fn tag(&mut self, rng: &mut StdRng) -> Option<What> {
        let found = self.tags.keys().choose(rng).cloned();
        let Some(tag) = found.filter(|_| rng.gen_bool(0.7)) else {
            let (id, name) = (
                format!("tag {}", self.tag_count),
                format!("Nº {}", self.tag_count),
            );
            self.tag_count += 1;
            // Of somebody who has a connection.
            let (owner, _) = self.connections.iter().choose(rng)?.clone();
            self.tags
                .insert(id.clone(), (owner.clone(), BTreeSet::new()));
            return Some(What::Tag { id, owner, name });
        };
        if rng.gen_bool(0.05) {
            self.tags.remove(&tag);
            return Some(What::TagDeleted { id: tag });
        }
        let (owner, members) = self.tags.get_mut(&tag)?;
        if rng.gen_bool(0.3) {
            let user = members.iter().choose(rng)?.clone();
            members.remove(&user);
            let add = false;
            return Some(What::TagMember { add, tag, user });
        }
        let of_owner = self.connections.iter().filter_map(|(from, to)| {
            let other = if from == owner {
                Some(to)
            } else {
                (to == owner).then_some(from)
            };
            other.cloned()
        });
        let user = of_owner.choose(rng)?;
        let add = true;
        members
            .insert(user.clone())
            .then_some(What::TagMember { add, tag, user })
    }

    fn conversation(&mut self, rng: &mut StdRng) -> Option<What> {
        let size = if rng.gen_bool(0.3) { 3 } else { 2 };
        let members: BTreeSet<_> = (0..size).map(|_| self.someone(rng)).collect();
        let members = Vec::from_iter(members);
        let mut known = self.conversations.values();
        // Two people have one conversation of their own.
        if members.len() < 2 || members.len() == 2 && known.any(|(known, _)| *known == members) {
            return None;
        }
        let id = format!("conversation {}", self.conversations.len());
        let title = (members.len() > 2).then(|| "Three of us".to_owned());
        self.conversations
            .insert(id.clone(), (members.clone(), Vec::new()));
        Some(What::Conversation { id, members, title })
    }

    fn message(&mut self, rng: &mut StdRng) -> Option<What> {
        let mut all: Vec<_> = self.conversations.iter_mut().collect();
        let (conversation, (members, messages)) = all.choose_mut(rng)?;
        let id = format!("{conversation}, message {}", messages.len());
        messages.push(id.clone());
        Some(What::Message {
            text: format!("Hello from {id}"),
            id,
            conversation: (*conversation).clone(),
            sender: members.choose(rng)?.clone(),
        })
    }

    fn read(&mut self, rng: &mut StdRng) -> Option<What> {
        let all: Vec<_> = self.conversations.iter().collect();
        let (conversation, (members, messages)) = all.choose(rng)?;
        Some(What::Read {
            up_to: messages.choose(rng)?.clone(),
            conversation: (*conversation).clone(),
            user: members.choose(rng)?.clone(),
        })
    }
}
