//! A small random community: a few weeks, with every type of record.

use feedmill_events::id;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    community::Community,
    record::{Record, What},
};
use crate::link::LinkKind;

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
    let post = |community: &mut Community, rng: &mut StdRng| Some(community.post(rng));
    add("post".to_owned(), 3.0, Box::new(post));
    add("audience".to_owned(), 0.7, Box::new(Community::audience));
    add(
        "post_deleted".to_owned(),
        0.3,
        Box::new(Community::post_deleted),
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
    add("block".to_owned(), 0.5, Box::new(Community::block));
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
    for record in &records {
        community.apply(record);
    }
    while records.len() < people + length {
        let source = sources.iter_mut().min_by_key(|source| source.at);
        let source = source.expect("a type of record");
        if let Some(what) = (source.draw)(&mut community, &mut source.rng) {
            let at = source.at;
            let record = Record { what, at };
            community.apply(&record);
            records.push(record);
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
