//! Connections, tags and their members, and the audiences that posts have with them.

use std::{
    collections::HashSet,
    io::{self, Write},
};

use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};

use super::{Audience, account, line, time};

const TAGS: [&str; 4] = ["Family", "Friends", "Colleagues", "Neighbours"];

/// Half of the pairs of follower and followee are connected. Half of an account's connections are members of one of its tags.
pub struct Circles {
    /// The connections, in the order in which they begin.
    pairs: Vec<(usize, usize)>,
    /// The connections of each account.
    connections: Vec<Vec<usize>>,
    /// The members of each account's tags.
    tags: Vec<[Vec<usize>; TAGS.len()]>,
}

impl Circles {
    /// `follows` are the followed accounts of each account.
    pub fn new(accounts: usize, follows: &[Vec<usize>], rng: &mut StdRng) -> Self {
        let mut circles = Self {
            pairs: Vec::new(),
            connections: vec![Vec::new(); accounts],
            tags: vec![[const { Vec::new() }; TAGS.len()]; accounts],
        };
        // Two accounts may follow each other.
        let mut seen = HashSet::new();
        for (follower, followees) in follows.iter().enumerate() {
            for &followee in followees {
                let pair = (follower.min(followee), follower.max(followee));
                if seen.insert(pair) && rng.gen_bool(0.5) {
                    circles.connect(follower, followee, rng);
                }
            }
        }
        circles
    }

    fn connect(&mut self, a: usize, b: usize, rng: &mut StdRng) {
        self.pairs.push((a, b));
        for (owner, other) in [(a, b), (b, a)] {
            self.connections[owner].push(other);
            if rng.gen_bool(0.5) {
                self.tags[owner][rng.gen_range(0..TAGS.len())].push(other);
            }
        }
    }

    /// Writes all records, one every millisecond from `at` on.
    pub fn write(&self, at: i64, out: &mut impl Write) -> io::Result<()> {
        let mut times = at..;
        let mut write = |mut record: Value| {
            record["at"] = json!(times.next().map(time));
            line(out, &record)
        };
        for (from, to) in &self.pairs {
            write(json!({"type": "connection", "from": account(*from), "to": account(*to)}))?;
        }
        for owner in self.owners() {
            for (index, name) in TAGS.iter().enumerate() {
                write(
                    json!({"type": "tag", "id": tag(owner, index), "owner": account(owner), "name": name}),
                )?;
            }
        }
        for owner in self.owners() {
            for (index, members) in self.tags[owner].iter().enumerate() {
                for member in members {
                    write(
                        json!({"type": "tag_member", "tag": tag(owner, index), "user": account(*member)}),
                    )?;
                }
            }
        }
        Ok(())
    }

    /// The accounts with tags.
    fn owners(&self) -> impl Iterator<Item = usize> {
        (0..self.connections.len()).filter(|owner| !self.connections[*owner].is_empty())
    }

    /// Half of the audiences are public. An account without tags shares with its connections instead.
    pub fn audience(&self, author: usize, rng: &mut StdRng) -> Audience {
        match rng.gen_range(0..10) {
            0..5 => Audience::Public,
            5..7 if !self.connections[author].is_empty() => {
                Audience::Tag(rng.gen_range(0..TAGS.len()))
            }
            _ => Audience::Connections,
        }
    }

    /// Somebody in the audience; the author if there is nobody else.
    pub fn someone_in(&self, author: usize, audience: Audience, rng: &mut StdRng) -> usize {
        let others = match audience {
            Audience::Public => return author,
            Audience::Connections => &self.connections[author],
            Audience::Tag(index) => &self.tags[author][index],
        };
        others.choose(rng).copied().unwrap_or(author)
    }
}

/// Adds an author's audience to the record of a post.
pub fn add_audience(record: &mut Value, author: usize, audience: Audience) {
    match audience {
        Audience::Public => {}
        Audience::Connections => record["audience"] = json!("connections"),
        Audience::Tag(index) => {
            record["audience"] = json!("tags");
            record["tags"] = json!([tag(author, index)]);
        }
    }
}

fn tag(owner: usize, index: usize) -> String {
    format!("t{owner}_{index}")
}
